internal import MillraceKafka

/// What stages there may be between topics of Kafka.
extension PipelineDefinition {
    func validateKafka(
        _ stage: StageDefinition, _ input: TopicDefinition, _ outputs: [TopicDefinition]
    ) throws(PipelineError) {
        guard ([input] + outputs).contains(where: { $0.kafka != nil }) else { return }
        switch stage.work {
        case .preprocess(let work): try validatePreprocess(work, stage, input, outputs)
        case .train:
            if input.kafka?.onBadRecord == .deadLetter {
                throw error(
                    "stage \(quote(stage.name)) trains, and writes no dead letters",
                    at: stage.position, advice: "Say \"onBadRecord: skip\": they are counted.")
            }
        case .score: break
        }
        guard let source = input.kafka else { return }
        if source.onBadRecord == .deadLetter, outputs.contains(where: { $0.kafka == nil }) {
            throw error(
                "stage \(quote(stage.name)) writes to the log, where dead letters cannot be "
                    + "put aside in one step with the rest", at: stage.position,
                advice: "Say \"onBadRecord: skip\": the log records what is left out.")
        }
        if outputs.contains(where: { $0.kafka?.address == source.address }) {
            throw error(
                "stage \(quote(stage.name)) would read what it writes", at: stage.position)
        }
    }

    private func validatePreprocess(
        _ work: PreprocessStage, _ stage: StageDefinition, _ input: TopicDefinition,
        _ outputs: [TopicDefinition]
    ) throws(PipelineError) {
        let targets = outputs.compactMap(\.kafka)
        guard targets.isEmpty || targets.count == outputs.count else {
            throw error(
                "stage \(quote(stage.name)) writes to Kafka and to the log, which cannot be one "
                    + "step", at: stage.position,
                advice: "Let another stage with another group write the other topics.")
        }
        guard targets.allSatisfy({ $0.address.brokers == targets[0].address.brokers }) else {
            throw error(
                "stage \(quote(stage.name)) writes to topics of several clusters",
                at: stage.position, advice: "A transaction is one cluster's.")
        }
        guard let source = input.kafka else { return }
        guard source.rowFormat == .json || source.rowFormat == .csv else {
            throw error(
                "stage \(quote(stage.name)) reads rows of text, and topic \(quote(input.name)) has "
                    + "records of \(source.rowFormat.rawValue)", at: stage.input.position,
                advice: "Such records are json or csv.")
        }
        guard work.rows == nil else {
            throw error(
                "stage \(quote(stage.name)) says what its rows are, and topic "
                    + "\(quote(input.name)) of Kafka does", at: stage.position,
                advice: "Give the topic \"format\" and \"columns\".")
        }
        guard work.model != nil || work.schema(of: source) != nil else {
            throw error(
                "topic \(quote(input.name)) needs the names of the \"columns\"",
                at: stage.input.position)
        }
    }
}
