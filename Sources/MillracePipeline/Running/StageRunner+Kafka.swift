internal import MillraceGroups
internal import MillraceKafka

/// What stages that read or write Kafka have in common.
extension StageRunner {
    /// Where a topic is in Kafka; nil where it is in the log.
    func kafkaTopic(_ reference: Reference) -> KafkaTopicDefinition? {
        plan.definition.topic(named: reference.name)?.kafka
    }

    #if Kafka
        /// The group; nil where the run is stopped while no broker answers.
        func connect(_ options: KafkaGroupOptions) throws -> KafkaGroup? {
            let stop = stop
            do throws(KafkaError) { return try KafkaGroup(options) { stop.isSet } } catch {
                // Who asked for an end does not mind that no broker answered meanwhile.
                guard stop.isSet, error.code == .noBroker else { throw error }
                return nil
            }
        }

        /// How the stage is a member of the group that reads a topic.
        func groupOptions(
            _ source: KafkaTopicDefinition
        ) throws(PipelineError) -> KafkaGroupOptions {
            let strategy: String
            switch stage.assignor {
            case .sticky: strategy = "cooperative-sticky"
            case .range: strategy = "range"
            case .roundRobin: strategy = "roundrobin"
            case .hash:
                throw PipelineError(
                    .usage, "stage \"\(stage.name)\": Kafka's groups have no assignor 'hash'",
                    advice: "It is sticky, range or roundRobin.", file: plan.definition.file,
                    position: stage.position)
            }
            return KafkaGroupOptions(
                address: source.address, group: stage.group, instance: plan.options.instance,
                strategy: strategy, properties: source.properties,
                onOutOfRange: source.onOutOfRange,
                patienceMilliseconds: source.patienceMilliseconds)
        }

        /// The cores to run on, one for each partition at most.
        func cores(of group: KafkaGroup) throws -> [Int] {
            Array(try availableCores().prefix(group.partitions))
        }

        /// The topics of Kafka that the stage writes.
        func targets(of references: [Reference]) throws -> KafkaTargets {
            KafkaTargets(references.compactMap { plan.definition.topic(named: $0.name) })
        }
    #endif
}
