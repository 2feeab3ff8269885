import MillraceKafka
import MillracePipeline
import Testing

/// Kafka topics as sources of a pipeline file.
@Suite struct DefinitionKafkaTests {
    /// A small pipeline with one source more.
    private func source(_ text: String) -> String {
        smallPipeline(
            topics: """
                  lines: {bytes: true}
                  points: {features: 3, label: true}
                """,
            sources: "  - \(text)")
    }

    @Test func everyKey() throws {
        let text = source(
            "{kafka: 'kafka://a:1,b/t', format: json, to: points, onBadRecord: skip, "
                + "onOutOfRange: earliest, properties: {security.protocol: SSL, fetch.min.bytes: 1}}"
        )
        let pipeline = try PipelineDefinition.parse(text, file: "p.yaml")
        #expect(
            pipeline.kafkaSources == [
                KafkaSourceDefinition(
                    address: try KafkaAddress("kafka://a:1,b:9092/t"), format: .json, to: "points",
                    onBadRecord: .skip, onOutOfRange: .earliest,
                    properties: try KafkaProperties([
                        ("security.protocol", "SSL"), ("fetch.min.bytes", "1"),
                    ]))
            ])
        #expect(pipeline.sources.count == 1)
        #expect(pipeline.kafkaSources[0].position?.line == 9)
    }

    @Test func defaults() throws {
        let pipeline = try PipelineDefinition.parse(
            source("{kafka: 'kafka://a/t', to: lines, columns: [a, y]}"), file: "p.yaml")
        let found = try #require(pipeline.kafkaSources.first)
        #expect(found.format == nil && found.onBadRecord == .stop && found.onOutOfRange == .error)
        #expect(found.columns == ["a", "y"] && found.properties.names.isEmpty)
    }

    @Test(arguments: [
        ("{kafka: 'kafka://a:x/t', to: lines}", "kafka://a:x/t: 'x' is not a port"),
        ("{kafka: t, to: lines}", "t: not the address of a Kafka topic"),
        ("{kafka: 'kafka://a/t'}", "lacks the key \"to\""),
        ("{kafka: 'kafka://a/t', to: lines, form: json}", "Did you mean \"format\"?"),
        ("{kafka: 'kafka://a/t', to: lines, format: xml}", "bytes, float32, json or block"),
        ("{kafka: 'kafka://a/t', to: lines, format: json}", "cannot be read into \"lines\""),
        ("{kafka: 'kafka://a/t', to: points, format: bytes}", "cannot be read into \"points\""),
        ("{kafka: 'kafka://a/t', to: points, columns: [a]}", "cannot be read into \"points\""),
        ("{kafka: 'kafka://a/t', to: rows}", "\"rows\""),
        ("{kafka: 'kafka://a/t', to: scores}", "cannot be read into \"scores\""),
        ("{kafka: 'kafka://a/t', to: none}", "none"),
        (
            "{kafka: 'kafka://a/t', to: lines, properties: {group.id: x}}",
            "'group.id' is set by Millrace itself"
        ),
        ("{kafka: 'kafka://a/t', to: lines, properties: {a: [1]}}", "\"a\" takes text"),
    ])
    func refuses(_ text: String, _ part: String) throws {
        let error = #expect(throws: PipelineError.self) {
            try PipelineDefinition.parse(source(text), file: "p.yaml")
        }
        #expect(error?.code == .usage)
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
        #expect(error?.position != nil)
    }

    /// What is refused is named, and not what was to be secret.
    @Test func secretsAreNotRepeated() {
        let texts = [
            "{kafka: 'kafka://joe:hunter2@a/t', to: lines}",
            "{kafka: 'kafka://a/t', to: lines, properties: {sasl.password: 'file:/none', x y: hunter2}}",
            "{kafka: 'kafka://a/t', to: lines, properties: {sasl.password: hunter2, group.id: x}}",
        ]
        for text in texts {
            let error = #expect(throws: PipelineError.self) {
                try PipelineDefinition.parse(source(text), file: "p.yaml")
            }
            #expect(error?.description.contains("hunter2") == false)
        }
    }
}
