internal import MillraceFeatures
internal import MillraceInput
internal import MillraceKafka

/// Reads a Kafka topic into a topic of the pipeline, as `millrace mirror` does.
enum KafkaSource {
    /// What its rows are, where they are lines of CSV.
    static func schema(of source: KafkaSourceDefinition) throws(PipelineError) -> RowSchema? {
        guard let columns = source.columns else { return nil }
        do throws(InputError) {
            return RowSchema(
                columns: try CSVHeader(names: columns, path: source.address.description).names)
        } catch { throw PipelineError(error) }
    }

    /// Refuses what cannot be, such as Kafka in a program without it; nothing is opened.
    static func check(_ source: KafkaSourceDefinition, data: String) throws(PipelineError) {
        _ = try mirror(source, data: data, follow: false, hooks: MirrorHooks())
    }

    /// Reads until its end, or until stopped.
    static func run(
        _ source: KafkaSourceDefinition, data: String, follow: Bool, status: StageStatus,
        stop: StopFlag
    ) throws(PipelineError) {
        let hooks = MirrorHooks(isStopped: { stop.isSet }, onRows: { status.add(rows: $0) })
        let mirror = try mirror(source, data: data, follow: follow, hooks: hooks)
        do throws(KafkaError) {
            let summary = try mirror.run()
            status.add(rejected: summary.skipped.values.reduce(0, +))
        } catch {
            // Who asked for an end does not mind that no broker answered meanwhile.
            guard stop.isSet, error.code == .noBroker else { throw PipelineError(error) }
        }
    }

    private static func mirror(
        _ source: KafkaSourceDefinition, data: String, follow: Bool, hooks: MirrorHooks
    ) throws(PipelineError) -> KafkaMirror {
        do throws(KafkaError) {
            return try KafkaMirror(
                from: source.address.description, to: source.to.name, data: data,
                options: MirrorOptions(
                    format: source.format, follow: follow, onBadRecord: source.onBadRecord,
                    onOutOfRange: source.onOutOfRange, properties: source.properties),
                hooks: hooks)
        } catch { throw PipelineError(error) }
    }
}
