import MillraceCompute
import MillraceModels
import MillraceRepository
import MillraceServing
import MillraceSystem
import MillraceTestSupport
import Testing

@Suite struct ScorerTests {
    private let fixture: ServingFixture

    init() throws { fixture = try ServingFixture() }

    /// What a scorer predicts for one row.
    private func predict(_ scorer: inout Scorer) -> Float {
        let row: [Float] = [1, .nan]
        return scorer.predict(row.span)[0]
    }

    @Test func followsTheNameThatItIsGiven() throws {
        try fixture.publish()
        try fixture.publish()
        try fixture.repository.promote("m", version: 1)
        var newest = Scorer(try fixture.feed())
        var stable = Scorer(try fixture.feed("m@stable"))
        var pinned = Scorer(try fixture.feed("m@2"))
        func expect(_ newestVersion: Float, _ stableVersion: Float) -> Bool {
            Patience.wait {
                predict(&newest) == newestVersion && predict(&stable) == stableVersion
            } && predict(&pinned) == 2
        }
        #expect(expect(2, 1))
        try fixture.publish()
        #expect(expect(3, 1))
        #expect(newest.current.version == 3)
        try fixture.repository.promote("m", version: 3)
        #expect(expect(3, 3))
        try fixture.repository.rollback("m", to: 1)
        try fixture.publish()
        #expect(expect(1, 3))
        try fixture.repository.rollback("m", alias: "stable")
        #expect(expect(1, 1))
        try fixture.repository.promote("m", version: 4)
        #expect(expect(4, 4))
        #expect(fixture.messages.errors == [])
    }

    @Test func scoresManyRowsWithOneVersion() throws {
        let version = try fixture.publish(inputs: 3, outputs: 2)
        var scorer = Scorer(try fixture.feed())
        #expect(scorer.inputWidth == 3 && scorer.outputWidth == 2)
        let rows = [Float](repeating: 0, count: 30)
        var outputs = [Float](repeating: -1, count: 20)
        var target = outputs.mutableSpan
        let used = scorer.predict(
            FeatureMatrix(rows.span, rows: 10, stride: 3), into: &target)
        #expect(used == version)
        #expect(outputs == [Float](repeating: Float(version), count: 20))
    }

    @Test func whereThereIsNoVersionItSaysSo() throws {
        for name in ["m", "m@stable", "m@1"] as [ModelReference] {
            let error = #expect(throws: RepositoryError.self) { try fixture.feed(name) }
            #expect(error?.code == .notFound)
        }
        try fixture.publish()
        try damage(version: 1)
        let error = #expect(throws: RepositoryError.self) { try fixture.feed() }
        #expect(error?.code == .invalidModel)
        #expect(error?.description.contains("m@1") == true)
    }

    /// Flips a bit of a version's weights.
    private func damage(version: Int) throws {
        let path = fixture.directory.file("models/m/\(version)/model.safetensors")
        var bytes = try Files.read(path, maxBytes: 1 << 20)
        bytes[bytes.count - 1] ^= 1
        try FileHandle(path, .readWrite).write(bytes, at: 0)
    }

    @Test func whatCannotTakeThePlaceOfTheOneInUseIsRefusedOnce() throws {
        let first = try fixture.publish(specification: 7)
        let feed = try fixture.feed()
        var scorer = Scorer(feed)
        let wide = try fixture.publish(inputs: 3, specification: 7)
        let long = try fixture.publish(outputs: 2, specification: 7)
        let other = try fixture.publish(specification: 8)
        #expect(Patience.wait { feed.refusals.count == 3 })
        #expect(predict(&scorer) == Float(first))
        #expect(feed.refusals.map(\.version).sorted() == [wide, long, other])
        // What was imported knows of no features, and then of those that are scored.
        let imported = try fixture.publish()
        #expect(Patience.wait { predict(&scorer) == Float(imported) })
        let again = try fixture.publish(specification: 8)
        let next = try fixture.publish(specification: 7)
        #expect(Patience.wait { predict(&scorer) == Float(next) })
        // It may have been passed over by the one after it.
        #expect(feed.refusals.count == 3 || feed.refusals.last?.version == again)
        #expect(fixture.messages.errors.count == feed.refusals.count)
    }

    @Test func aBrokenVersionIsRefusedAndTheOneBeforeGoesOn() throws {
        try fixture.publish()
        try fixture.publish()
        try damage(version: 2)
        let feed = try fixture.feed()
        var scorer = Scorer(feed)
        #expect(predict(&scorer) == 1)
        #expect(feed.refusals.map(\.version) == [2])
        try fixture.publish()
        #expect(Patience.wait { predict(&scorer) == 3 })
        #expect(fixture.messages.errors.count == 1)
        // By field, for who searches logs so: what was refused, and what came into use.
        let fields = fixture.messages.metadata
        #expect(fields.contains { $0["reason"] != nil && $0["version"] == "2" })
        #expect(fields.contains(["model": "m", "version": "3"]))
    }

    @Test func aliasesThatCannotBeReadAreToldOnce() throws {
        try fixture.publish()
        let feed = try fixture.feed()
        var scorer = Scorer(feed)
        let path = fixture.directory.file("models/m/.aliases")
        try Files.writeDurably(path, [1, 2, 3])
        #expect(Patience.wait { !fixture.messages.errors.isEmpty })
        // It looks again whenever something changes.
        for _ in 0..<3 {
            try fixture.publish()
            PinnedThread.sleep(nanoseconds: 20_000_000)
        }
        #expect(fixture.messages.errors.count == 1, "\(fixture.messages.errors)")
        #expect(predict(&scorer) == 1)
        try Files.remove(path)
        #expect(Patience.wait { predict(&scorer) == 4 })
    }

    @Test func aFeedThatIsClosedStaysAtItsVersion() throws {
        try fixture.publish()
        let feed = try fixture.feed()
        var scorer = Scorer(feed)
        feed.close()
        try fixture.publish()
        PinnedThread.sleep(nanoseconds: 50_000_000)
        #expect(predict(&scorer) == 1)
        feed.close()
    }
}
