internal import MillraceSystem

/// What trainers beside each other may be.
extension PipelineDefinition {
    /// Checks which partitions a train stage reads, and its exchange.
    func validateExchange(
        _ work: TrainStage, of stage: StageDefinition, _ input: TopicDefinition
    ) throws(PipelineError) {
        func require(_ holds: Bool, _ message: @autoclosure () -> String) throws(PipelineError) {
            guard holds else {
                throw error("stage \(quote(stage.name)) \(message())", at: stage.position)
            }
        }
        if let numbers = work.partitions {
            try require(
                !numbers.isEmpty && Set(numbers).count == numbers.count,
                "has the partitions \(numbers)")
            let count = input.kafka == nil ? input.partitions : TopicDefinition.maxPartitions
            for number in numbers {
                try require(
                    (0..<count).contains(number),
                    "learns from partition \(number), and topic \(quote(input.name)) has "
                        + "partitions 0 to \(count - 1)")
            }
        }
        guard let exchange = work.exchange else { return }
        try require(
            Names.isValid(exchange.trainer), "exchanges as \(quote(exchange.trainer)), no name")
        try require(exchange.everyRows > 0, "exchanges every \(exchange.everyRows) rows")
        let times = ModelExchange.roundMillisecondsRange
        try require(
            times.contains(exchange.roundMilliseconds),
            "has rounds of \(exchange.roundMilliseconds) ms; \(times.lowerBound) to "
                + "\(times.upperBound) are possible")
        guard case .log(let name) = exchange.topic else { return }
        try require(Names.isValid(name), "exchanges through \(quote(name)), no name of a topic")
        try require(
            topic(named: name) == nil,
            "exchanges through topic \(quote(name)), which the pipeline has for something else")
    }

    /// Whether two stages may publish the same model: as trainers that exchange, of rows that are
    /// not the other's.
    func mayPublishTogether(_ one: StageDefinition, _ other: StageDefinition) -> Bool {
        guard case .train(let first) = one.work, case .train(let second) = other.work,
            let exchange = first.exchange, let otherExchange = second.exchange,
            exchange.topic == otherExchange.topic, exchange.trainer != otherExchange.trainer
        else { return false }
        guard first.from == second.from else { return true }
        guard let partitions = first.partitions, let others = second.partitions else {
            return false
        }
        return Set(partitions).isDisjoint(with: others)
    }
}
