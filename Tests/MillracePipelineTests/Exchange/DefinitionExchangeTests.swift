import Millrace
import MillraceKafka
import MillraceModels
import Testing

@testable import MillracePipeline

/// What a pipeline file says of trainers beside each other.
@Suite struct DefinitionExchangeTests {
    private func stage(_ lines: String) throws -> TrainStage {
        let text = smallPipeline(train: "regression: {}\n    " + lines)
        let definition = try PipelineDefinition.parse(text, file: "p.yaml")
        guard case .train(let stage) = try #require(definition.stage(named: "learn")).work else {
            throw PipelineError(.usage, "no train stage")
        }
        return stage
    }

    @Test func defaults() throws {
        let plain = try stage("epochs: 1")
        #expect(plain.partitions == nil && plain.exchange == nil)
        let found = try stage("exchange: {topic: averages, trainer: a}")
        #expect(found.exchange == ModelExchange(topic: .log("averages"), trainer: "a"))
        #expect(found.exchange?.everyRows == 65_536 && found.exchange?.roundMilliseconds == 2000)
    }

    @Test func everything() throws {
        let found = try stage(
            """
            partitions: [0]
                exchange: {topic: averages, trainer: host-1, everyRows: 4_096, roundTime: 0.25}
            """)
        #expect(found.partitions == [0])
        #expect(
            found.exchange
                == ModelExchange(
                    topic: .log("averages"), trainer: "host-1", everyRows: 4096,
                    roundMilliseconds: 250))
    }

    @Test func throughKafka() throws {
        let found = try stage(
            """
            exchange:
                  {topic: 'kafka://b1:9093,b2/averages', trainer: a, patience: 30,
                   properties: {security.protocol: SSL}}
            """)
        let exchange = try #require(found.exchange)
        #expect(exchange.topic == .kafka(try KafkaAddress("kafka://b1:9093,b2/averages")))
        #expect(exchange.patienceMilliseconds == 30_000)
        #expect(exchange.properties.names == ["security.protocol"])
    }

    @Test(arguments: [
        ("partitions: 0", "partitions: expected a list of partition numbers, found \"0\""),
        ("partitions: []", "partitions: expected at least one number"),
        ("partitions: [0, 0]", "partitions: 0 is listed twice"),
        ("partitions: [-1]", "partitions: expected a whole number from 0 to 1023, found \"-1\""),
        ("partitions: [7]", "learns from partition 7, and topic \"rows\" has partitions 0 to "),
        ("exchange: averages", "exchange: expected a mapping, found \"averages\""),
        ("exchange: {trainer: a}", "exchange lacks the key \"topic\""),
        ("exchange: {topic: averages}", "exchange lacks the key \"trainer\""),
        (
            "exchange: {topic: averages, trainer: a, every: 5}",
            "unknown key \"every\" in exchange"
        ),
        (
            "exchange: {topic: averages, trainer: a b}",
            "\"a b\" is not a valid trainer name"
        ),
        ("exchange: {topic: 'a/b', trainer: a}", "\"a/b\" is not a valid topic name"),
        ("exchange: {topic: 'kafka://', trainer: a}", "kafka://"),
        (
            "exchange: {topic: x, trainer: a, everyRows: 0}",
            "everyRows: expected a whole number from 1 to 1099511627776, found \"0\""
        ),
        (
            "exchange: {topic: x, trainer: a, roundTime: 61}",
            "roundTime: expected seconds from 0.01 to 60, found \"61\""
        ),
        (
            "exchange: {topic: x, trainer: a, patience: 5}",
            "\"patience\" is for topics of Kafka"
        ),
        (
            "exchange: {topic: rows, trainer: a}",
            "exchanges through topic \"rows\", which the pipeline has for something else"
        ),
    ])
    func errors(_ line: String, _ message: String) {
        let text = smallPipeline(train: "regression: {}\n    " + line)
        let error = #expect(throws: PipelineError.self) {
            _ = try PipelineDefinition.parse(text, file: "p.yaml")
        }
        #expect(error?.code == .usage && error?.line != nil)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    /// Two stages publish one model only as trainers that exchange, of rows that are not the other's.
    @Test func oneModelOfSeveralTrainers() throws {
        func definition(
            _ partitions: [Int]?, _ others: [Int]?,
            _ change: (inout ModelExchange) -> Void = { _ in }
        ) -> PipelineDefinition {
            let stages = [("a", partitions), ("b", others)].map { name, partitions in
                var stage = TrainStage(
                    from: "rows", model: "m", learner: LearnerDefinition(objective: .regression))
                stage.partitions = partitions
                var exchange = ModelExchange(topic: .log("averages"), trainer: name)
                if name == "b" { change(&exchange) }
                stage.exchange = exchange
                return StageDefinition(name: name, work: .train(stage))
            }
            return PipelineDefinition(
                topics: [
                    TopicDefinition(
                        name: "rows", partitions: 4,
                        content: .features(width: .fixed(3), element: .float32, labelled: true))
                ], stages: stages)
        }
        try definition([0, 1], [2, 3]).validate()
        for wrong in [
            definition([0, 1], [1, 2]), definition(nil, [3]), definition([0], nil),
            definition([0], [1]) { $0.trainer = "a" },
            definition([0], [1]) { $0.topic = .log("others") },
        ] {
            let error = #expect(throws: PipelineError.self) { try wrong.validate() }
            #expect(error?.message.contains("both publish the model \"m\"") == true)
        }
        // What only code can say.
        for change: (inout ModelExchange) -> Void in [
            { $0.trainer = "" }, { $0.everyRows = 0 }, { $0.roundMilliseconds = 0 },
            { $0.topic = .log("") },
        ] {
            let error = #expect(throws: PipelineError.self) {
                try definition([0], [1], change).validate()
            }
            #expect(error?.code == .usage)
        }
    }
}
