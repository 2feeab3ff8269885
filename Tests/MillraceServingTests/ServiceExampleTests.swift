import MillraceModels
import MillraceRepository
import MillraceServing
import MillraceSystem
import MillraceTestSupport
import Testing

/// The example of the page on models, as it stands there.
@Suite struct ServiceExampleTests {
    @Test func scoresSingleRows() throws {
        let directory = try TemporaryDirectory("millrace-service", inMemory: true)
        let layer = DenseLayer(inputs: 1, outputs: 1, weights: [1], bias: [0])
        let model = try Model(
            input: InputStage(identity: 1), layers: [layer], head: .sigmoid)
        _ = try ModelRepository(path: directory.path).publish(
            model, as: "delay", Publication(key: ""))
        try ModelRepository(path: directory.path).promote("delay", version: 1)
        #expect(try score([[2], [-2], [3]], models: directory.path) == [1, 1])
    }

    private func score(_ requests: [[Float]], models: String) throws -> [Int] {
        var late: [Int] = []
        let repository = ModelRepository(path: models)
        let feed = try ModelFeed(repository, "delay@stable")  // throws without a version
        var scorer = Scorer(feed)  // one for each thread
        for row in requests {
            let isLate = scorer.predict(row.span)[0] > 0.5  // a span, until the next call
            if isLate { late.append(scorer.current.version) }
        }
        return late
    }

    @Test func thePageShowsWhatIsCompiledHere() throws {
        func lines(_ path: String) throws -> [String] {
            let bytes = try Files.read(path, maxBytes: 1 << 20)
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map {
                String($0.drop { $0 == " " })
            }
        }
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let page = try lines("/\(root)/Sources/Millrace/Millrace.docc/Models.md")
        let example = page.drop { $0 != "```swift" }.dropFirst().prefix { $0 != "```" }
        #expect(example.count == 7)
        let ours = try lines(#filePath)
        let start = try #require(ours.firstIndex(of: example.first ?? ""))
        #expect(Array(ours[start...].prefix(example.count)) == Array(example))
    }
}
