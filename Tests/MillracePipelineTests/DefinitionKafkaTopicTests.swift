import MillraceFeatures
import MillraceKafka
import MillracePipeline
import MillraceRepository
import Testing

private let events = "{kafka: 'kafka://a/events', format: csv, columns: [a, y]}"
private let vectors = "{kafka: 'kafka://a/vectors', features: encode, label: true}"

/// Kafka topics that the stages of a pipeline file read and write.
@Suite struct DefinitionKafkaTopicTests {
    private func pipeline(
        _ input: String = events, _ output: String = vectors,
        encode: String = "label: {column: y, value: true}, features: [{column: a}]",
        more: String = ""
    ) -> String {
        """
        topics:
          events: \(input)
          vectors: \(output)
        stages:
          encode: {kind: preprocess, from: events, to: vectors, \(encode)}
          learn: {kind: train, from: vectors, model: m, regression: {}}
        \(more)
        """
    }

    @Test func everyStage() throws {
        let pipeline = try PipelineDefinition.parse(
            pipeline(
                more: """
                      score: {kind: score, from: vectors, to: scores, model: m}
                    """
            ).replacing(
                "topics:",
                with: "topics:\n  scores: {kafka: 'kafka://a/scores', predictions: true}"),
            file: "p.yaml")
        let read = try #require(pipeline.topic(named: "events"))
        #expect(read.content == .bytes && read.kafka?.rowFormat == .csv)
        let written = try #require(pipeline.topic(named: "vectors"))
        let content = TopicDefinition.Content.features(
            width: .stage("encode"), element: .float32, labelled: true)
        #expect(written.content == content && written.kafka?.rowFormat == .float32)
    }

    @Test func featuresOfAModel() throws {
        let pipeline = try PipelineDefinition.parse(
            pipeline(encode: "label: {column: y, value: true}, features: {model: delay@7}"),
            file: "p.yaml")
        guard case .preprocess(let work) = pipeline.stages[0].work else {
            Issue.record("the first stage is no preprocess stage")
            return
        }
        #expect(work.model?.name == "delay" && work.model?.version == 7)
        #expect(work.definition.features.isEmpty)
    }

    @Test func columnsFollowFromObjects() throws {
        _ = try PipelineDefinition.parse(
            pipeline("{kafka: 'kafka://a/events'}"), file: "p.yaml")
    }

    @Test(arguments: [
        ("{kafka: 'kafka://a/events', format: csv}", vectors, "names of the \"columns\""),
        ("{kafka: 'kafka://a/events', format: float32}", vectors, "records of float32"),
        ("{kafka: 'kafka://a/events', label: true}", vectors, "belongs to a topic of features"),
        (
            events, "{kafka: 'kafka://a/vectors', features: encode, format: csv}",
            "format: expected float32"
        ),
        (events, "{kafka: 'kafka://a/vectors', features: other}", "\"other\""),
        (events, "{kafka: 'kafka://a/vectors', features: encode}", "has no labels"),
        (events, "{kafka: 'kafka://a/events', features: encode, label: true}", "what it writes"),
        (
            events,
            "{kafka: 'kafka://a/vectors', features: encode, label: true, onBadRecord: dead-letter}",
            "writes no dead letters"
        ),
        (
            "{kafka: 'kafka://a/events', onBadRecord: dead-letter}",
            "{features: encode, label: true}",
            "dead letters cannot be"
        ),
    ])
    func refuses(_ input: String, _ output: String, _ part: String) {
        let error = parsingError(pipeline(input, output))
        #expect(error.contains(part), "\(error)")
    }

    @Test func refusesWhatIsSaidTwice() {
        let text = pipeline(
            encode: "rows: jsonl, label: {column: y, value: true}, features: [{column: a}]")
        #expect(parsingError(text).contains("says what its rows are"))
    }

    /// One step writes to the log or to one cluster.
    @Test func refusesOutputsOfTwoKinds() {
        for other in ["{features: encode}", "{kafka: 'kafka://b/rest', features: encode}"] {
            let text = pipeline().replacing(
                "to: vectors,",
                with: "to: [{topic: vectors, where: {column: a, atMost: 1}}, {topic: rest}],"
            ).replacing("topics:", with: "topics:\n  rest: \(other)")
            let error = parsingError(text)
            #expect(error.contains("cannot be one") || error.contains("several clusters"))
        }
    }
}
