internal import MillraceLog

extension TopicDefinition {
    /// The definition of a topic that is there already, for pipelines built in code.
    ///
    /// - Throws: `PipelineError` with `noInput` when there is no such topic or data directory.
    public static func existing(
        _ name: String, data path: String
    ) throws(PipelineError) -> TopicDefinition {
        let directory: DataDirectory
        do throws(LogError) { directory = try DataDirectory(path, create: false) } catch {
            throw PipelineError(error)
        }
        let topic = try directory.existingTopic(name)
        let found = topic.configuration
        let content: Content
        switch found.kind {
        case .bytes: content = .bytes
        case .predictions: content = .predictions
        case .features:
            content = .features(
                width: .fixed(found.features),
                element: Element(rawValue: found.elementType.rawValue) ?? .float32,
                labelled: found.label)
        }
        return TopicDefinition(
            name: name, partitions: topic.partitions, content: content,
            codec: found.codec == .none ? .none : .lz4(level: found.level),
            storage: TopicStorage(
                filter: found.filter, scale: Double(found.scale), zeroPoint: Int(found.zeroPoint),
                flush: found.flush, retention: found.retention, segmentBytes: found.segmentBytes,
                segmentMilliseconds: found.segmentMilliseconds))
    }
}
