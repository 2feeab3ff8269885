import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

/// What a loss of power leaves of a repository, at every moment of its life.
@Suite struct ModelPowerLossTests {
    private static let seeds: Range<UInt64> = 0..<8

    /// What there is once a step has returned, and the moment of that.
    private struct Step {
        var end: Int
        var versions: Set<Int>
        var aliases: [String: Int]
    }

    @Test func versionsAndAliasesAreThoseOfBeforeOrAfter() throws {
        var draw = Draw(10)
        let model = try draw.model([3, 2])
        let directory = try TemporaryDirectory("millrace-power", inMemory: true)
        let disk = try SimulatedDisk(root: directory.path)
        let repository = ModelRepository(path: directory.file("models"))
        var steps = [Step(end: 0, versions: [], aliases: [:])]
        func step(_ body: () throws -> Void) throws {
            try body()
            let mark = disk.mark()
            steps.append(
                Step(
                    end: mark, versions: Set(try repository.versions(of: "m")),
                    aliases: try repository.aliases(of: "m").versions))
        }
        func publish() throws { _ = try repository.publish(model, as: "m", Publication(key: "")) }
        for _ in 0..<3 { try step(publish) }
        try step { try repository.promote("m", version: 1) }
        try step { try repository.promote("m", version: 3) }
        try step { try repository.rollback("m") }
        try step(publish)
        try step { try repository.promote("m", version: 4) }
        try step { try repository.prune("m", keeping: 1) }
        try step(publish)
        disk.stop()
        #expect(steps.last?.versions == [4, 5])
        #expect(steps.last?.aliases == ["latest": 5, "stable": 4])
        var seen: (step: Int, images: [CrashImage]) = (0, [])
        var images = 0
        for index in 0...disk.mark() {
            let next = try #require(steps.firstIndex { index <= $0.end })
            let (before, after) = (steps[max(next - 1, 0)], steps[next])
            if seen.step != next { seen = (next, []) }
            for seed in Self.seeds {
                let image = disk.image(upTo: index, seed: seed)
                guard !seen.images.contains(image) else { continue }
                seen.images.append(image)
                images += 1
                let scratch = try TemporaryDirectory("millrace-power", inMemory: true)
                try disk.materialize(upTo: index, seed: seed, into: scratch.path)
                try check(
                    ModelRepository(path: scratch.file("models")), before, after, model,
                    publishes: images % 8 == 0)
            }
        }
        #expect(images > 100)
    }

    private func check(
        _ left: ModelRepository, _ before: Step, _ after: Step, _ model: Model, publishes: Bool
    ) throws {
        let versions = Set(try left.directories(of: "m"))
        #expect(versions.isSuperset(of: before.versions.intersection(after.versions)))
        #expect(versions.isSubset(of: before.versions.union(after.versions)))
        for version in versions { #expect(try left.load("m", version: version).model == model) }
        let aliases = try left.aliases(of: "m").versions
        // A version can be there before the step that publishes it has returned.
        let early = before.aliases.merging(["latest": versions.max() ?? 0]) { $1 }
        #expect([before.aliases, after.aliases, early].contains(aliases), "\(aliases)")
        guard publishes else { return }
        let highest = before.versions.union(versions).max() ?? 0
        #expect(try left.publish(model, as: "m", Publication(key: "")) > highest)
    }
}
