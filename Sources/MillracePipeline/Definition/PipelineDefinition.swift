internal import MillraceSystem

/// A whole pipeline: topics, the files that feed them, and the stages between them.
///
/// It is read from a pipeline file with `load` or `parse`, or built in code and checked with
/// `validate`. A definition that was read has been validated.
public struct PipelineDefinition: Sendable, Equatable {
    /// The pipeline file as the user named it; nil in a definition built in code.
    public var file: String?
    /// The topics, in the order of the file.
    public var topics: [TopicDefinition]
    /// The files that feed topics, in the order of the file.
    public var sources: [SourceDefinition]
    /// The Kafka topics that feed topics, in the order of the file.
    public var kafkaSources: [KafkaSourceDefinition]
    /// The stages, in the order of the file.
    public var stages: [StageDefinition]

    /// The largest pipeline file in bytes.
    public static let maxFileBytes = 1 << 20
    /// The most stages that a pipeline may have.
    public static let maxStages = 256

    /// Creates a definition without checking it.
    public init(
        file: String? = nil, topics: [TopicDefinition], sources: [SourceDefinition] = [],
        kafkaSources: [KafkaSourceDefinition] = [], stages: [StageDefinition]
    ) {
        self.file = file
        self.topics = topics
        self.sources = sources
        self.kafkaSources = kafkaSources
        self.stages = stages
    }

    /// The topic of this name.
    public func topic(named name: String) -> TopicDefinition? {
        topics.first { $0.name == name }
    }

    /// The stage of this name.
    public func stage(named name: String) -> StageDefinition? {
        stages.first { $0.name == name }
    }

    /// The stage that writes this topic.
    public func writer(of topic: String) -> StageDefinition? {
        stages.first { $0.outputs.contains { $0.name == topic } }
    }

    /// The preprocess stage that decides what the features of this topic are.
    public func encoder(of topic: TopicDefinition) -> (StageDefinition, PreprocessStage)? {
        guard case .features(.stage(let reference), _, _) = topic.content,
            let stage = stage(named: reference.name), case .preprocess(let work) = stage.work
        else { return nil }
        return (stage, work)
    }

    /// Reads and checks a pipeline file.
    ///
    /// - Throws: `noInput` where there is no such file, `inputOutput` where it cannot be read,
    ///   `badData` where it is too large or not UTF-8, and `usage` for everything that is wrong
    ///   in it, with the line and column.
    public static func load(_ path: String) throws(PipelineError) -> PipelineDefinition {
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, maxBytes: maxFileBytes)
        } catch {
            throw PipelineError(
                error.isNotFound ? .noInput : .inputOutput,
                "cannot read the pipeline file: \(error.reason)", file: path)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PipelineError(.badData, "the pipeline file is not UTF-8 text", file: path)
        }
        return try parse(text, file: path)
    }

    /// Reads and checks the text of a pipeline file.
    ///
    /// - Parameters:
    ///   - text: A YAML document.
    ///   - file: The file's path: named in errors, and what the paths of sources are relative to.
    /// - Throws: `usage`, with the line and column.
    public static func parse(
        _ text: String, file: String
    ) throws(PipelineError) -> PipelineDefinition {
        var reader = YAMLReader(file: file)
        let root = try reader.read(text)
        let definition = try DefinitionParser(file: file).pipeline(root)
        try definition.validate()
        return definition
    }
}
