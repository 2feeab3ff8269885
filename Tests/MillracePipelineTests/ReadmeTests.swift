import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

// README: begin
/// Appends two rows to a topic and reads them back, a consumer to each core.
func readme(directory: String) throws -> Int {
    let data = try DataDirectory(directory, create: true)
    let topic = try data.topic(
        "measurements", creating: TopicConfiguration(kind: .features, features: 3))
    var writer = try topic.writer(partition: 0)
    var batch = BatchBuilder(columns: 3)
    for row: [Float] in [[1, 2, 3], [4, 5, 6]] {
        var target = batch.nextRow()
        for column in row.indices { target[column] = row[column] }
        batch.commitRow()
    }
    try writer.append(&batch)  // survives the death of this process; flush() survives loss of power
    let group = try ConsumerGroup(data: data, name: "reader", topics: [topic])
    try group.consumeToEnd { slot, batch in
        print("core \(slot.core): rows \(batch.baseOffset) to \(batch.endOffset - 1)")
    }
    return Int(try group.committed(TopicPartition(topic: "measurements", partition: 0)) ?? 0)
}
// README: end

@Suite("README")
struct ReadmeTests {
    @Test("the library example runs")
    func exampleRuns() throws {
        let directory = try TemporaryDirectory()
        #expect(try readme(directory: directory.file("data")) == 2)
    }

    @Test("the library example in the README is the one that is compiled here")
    func exampleIsTheOneCompiled() throws {
        let page = try text("README.md")
        let source = try text("Tests/MillracePipelineTests/ReadmeTests.swift")
        let shown = try #require(page.split(separator: "```swift\nimport Millrace\n\n").last)
        let example = try #require(shown.split(separator: "```").first)
        let begin = try #require(source.split(separator: "// README: begin\n").last)
        let compiled = try #require(begin.split(separator: "// README: end").first)
        #expect(example == compiled)
        #expect(example.split(separator: "\n").count <= 20)
    }

    private func text(_ name: String) throws -> String {
        let bytes = try Files.read(SharedData.root + "/" + name, maxBytes: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }
}
