internal import MillraceLog
internal import MillraceSystem

extension GroupCatalog {
    /// Sets what a group reads next in all partitions of a topic, in one step.
    ///
    /// Where the group's progress is recorded in output topics, that is set there as well.
    /// - Returns: the offset for each partition.
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `noSuchTopic`, `inUse` while
    ///   members are in the group, `log`, `corrupt` or `system`; but for the last three nothing is
    ///   changed then.
    @discardableResult
    public func reset(
        _ group: String, topic name: String, to target: StartOffset
    ) throws(GroupError) -> [UInt64] {
        let session = try GroupSession(root: root, group: group, create: false)
        guard let topic = try topic(name) else { throw .noSuchTopic(group, name) }
        let offsets = try logErrors(group) { () throws(LogError) in
            var offsets: [UInt64] = []
            for partition in 0..<topic.partitions {
                offsets.append(try target.resolve(in: topic, partition: partition))
            }
            return offsets
        }
        let (outputs, generation) = try session.change(isDurable: true) {
            state throws(GroupError) in
            try Self.settle(&state, session)
            let indices = state.partitions.indices.filter {
                let known = state.partitions[$0]
                return known.partition.topic == name && known.topicID == topic.id
                    && known.partition.partition < offsets.count
            }
            guard !indices.isEmpty else { throw .noSuchTopic(group, name) }
            let settings = indices.map {
                (index: $0, next: Optional(offsets[state.partitions[$0].partition.partition]))
            }
            state.reset(settings)
            return (state.subscription.outputs, state.generation)
        }
        for name in outputs {
            guard let output = try self.topic(name) else { continue }
            try restate(offsets, of: topic, in: output, group, generation)
        }
        return offsets
    }

    /// Records a reset in an output topic, whose newest batch says where a stage goes on.
    private func restate(
        _ offsets: [UInt64], of topic: Topic, in output: Topic, _ group: String,
        _ generation: UInt32
    ) throws(GroupError) {
        try logErrors(group) { () throws(LogError) in
            for (partition, offset) in offsets.enumerated() where partition < output.partitions {
                let claim = OutputClaim(
                    group: "group:" + group, source: topic.reference, sourcePartition: partition,
                    generation: generation, start: offset, isReset: true)
                try output.writer(partition: partition, claim: claim).flush()
            }
        }
    }

    private func logErrors<R>(
        _ group: String, _ body: () throws(LogError) -> R
    ) throws(GroupError) -> R {
        do throws(LogError) { return try body() } catch { throw .log(group, error) }
    }
}
