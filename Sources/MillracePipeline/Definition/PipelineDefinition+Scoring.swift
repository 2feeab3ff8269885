internal import MillraceLog
public import MillraceRepository
public import MillraceCompute

extension PipelineDefinition {
    /// One score stage between two topics: what a pipeline file with that stage alone defines.
    ///
    /// The stage is called as its group. The output is declared as it is, or, where it is not there,
    /// as a topic of predictions with as many partitions as the input.
    ///
    /// - Parameters:
    ///   - input: A topic of features, or of raw rows for a model that was trained behind a preprocess
    ///     stage; it has to be there.
    ///   - output: The predictions topic.
    ///   - model: The model, which `PipelineRun` looks for.
    ///   - group: The consumer group; its outputs say where it goes on.
    ///   - kernels: The kernels to compute with; nil is the best that the processor has.
    ///   - precision: The arithmetic of the model's layers.
    ///   - data: The data directory.
    /// - Throws: `PipelineError` with `noInput` when there is no such input, `usage` when input and
    ///   output are one topic, or when the output has predictions that another group made of the
    ///   input: with a second group's among them rows would have two outcomes there.
    public static func scoring(
        from input: String, to output: String, model: ModelReference, group: String,
        kernels: KernelSet? = nil, precision: Precision = .float32, data: String
    ) throws(PipelineError) -> PipelineDefinition {
        guard input != output else {
            throw PipelineError(
                .usage, "topic '\(input)' cannot be scored into itself",
                advice: "Name another topic for the predictions; it is made when it is not there.")
        }
        let source = try TopicDefinition.existing(input, data: data)
        let isThere = try pipelineErrors {
            try DataDirectory(data, create: false).topicNames().contains(output)
        }
        let target =
            isThere
            ? try TopicDefinition.existing(output, data: data)
            : TopicDefinition(
                name: output, partitions: source.partitions, content: .predictions)
        if isThere, target.content == .predictions {
            try pipelineErrors {
                let data = try DataDirectory(data, create: false)
                let owner = try OutputOwners.owner(
                    of: data.topic(output), from: data.topic(input))
                guard let owner, owner != group else { return }
                throw OutputOwners.refusal(of: owner, output, input)
            }
        }
        return scoring(source, target, model, group, kernels, precision)
    }

    private static func scoring(
        _ source: TopicDefinition, _ target: TopicDefinition, _ model: ModelReference,
        _ group: String, _ kernels: KernelSet?, _ precision: Precision
    ) -> PipelineDefinition {
        PipelineDefinition(
            topics: [source, target],
            stages: [
                StageDefinition(
                    name: group,
                    work: .score(
                        ScoreStage(
                            from: Reference(source.name), to: Reference(target.name),
                            model: model, kernels: kernels, precision: precision)))
            ])
    }

    /// The same, where one of the two topics or both are Kafka's; else it is in the log.
    ///
    /// - Parameters:
    ///   - input: The Kafka topic to read; nil for the topic `name` of the log.
    ///   - output: The Kafka topic to write; nil for the predictions topic `name` of the log, which
    ///     is made with one partition when it is not there.
    /// - Throws: as the other.
    public static func scoring(
        from input: (name: String, kafka: KafkaTopicDefinition?),
        to output: (name: String, kafka: KafkaTopicDefinition?), model: ModelReference,
        group: String, kernels: KernelSet? = nil, precision: Precision = .float32, data: String
    ) throws(PipelineError) -> PipelineDefinition {
        guard input.kafka != nil || output.kafka != nil else {
            return try scoring(
                from: input.name, to: output.name, model: model, group: group,
                kernels: kernels, precision: precision, data: data)
        }
        let source: TopicDefinition
        if let kafka = input.kafka {
            source = TopicDefinition(name: "kafka-input", content: .bytes, kafka: kafka)
        } else {
            source = try TopicDefinition.existing(input.name, data: data)
        }
        let target: TopicDefinition
        if let kafka = output.kafka {
            target = TopicDefinition(name: "kafka-output", content: .predictions, kafka: kafka)
        } else {
            let names = try pipelineErrors {
                try DataDirectory(data, create: true).topicNames()
            }
            target =
                names.contains(output.name)
                ? try TopicDefinition.existing(output.name, data: data)
                : TopicDefinition(name: output.name, content: .predictions)
        }
        return scoring(source, target, model, group, kernels, precision)
    }
}
