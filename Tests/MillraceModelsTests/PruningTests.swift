import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

/// Old versions go, but never one that somebody needs.
@Suite struct PruningTests {
    private let directory: TemporaryDirectory
    private let repository: ModelRepository
    private let model: Model

    init() throws {
        directory = try TemporaryDirectory("millrace-pruning", inMemory: true)
        repository = ModelRepository(path: directory.path)
        var draw = Draw(8)
        model = try draw.model([3, 2])
    }

    private func publish(_ count: Int = 1) throws {
        for _ in 0..<count { _ = try repository.publish(model, as: "m", Publication(key: "")) }
    }

    @Test func theNewestAndThoseWithANameStay() throws {
        try publish(8)
        try repository.promote("m", version: 2)
        try repository.promote("m", version: 2, as: "canary")
        try repository.rollback("m", to: 4)
        let pruning = try repository.prune("m", keeping: 2)
        #expect(pruning.removed == [1, 3, 5, 6])
        #expect(
            pruning.kept == [
                Pruning.Kept(version: 2, aliases: ["canary", "stable"]),
                Pruning.Kept(version: 4, aliases: ["latest"]),
            ])
        #expect(try repository.versions(of: "m") == [2, 4, 7, 8])
        try repository.promote("m", version: 8)
        try repository.promote("m", version: 8, as: "canary")
        // The newest stays whatever is asked for.
        #expect(try repository.prune("m", keeping: -3).removed == [2, 4, 7])
        #expect(try repository.versions(of: "m") == [8])
        try publish()
        #expect(try repository.versions(of: "m") == [8, 9])
        #expect(throws: RepositoryError.self) { try repository.prune("x", keeping: 1) }
    }

    @Test func whatIsLoadedStaysUntilNobodyHasIt() throws {
        try publish(3)
        var one: LoadedModel? = try repository.load("m", version: 1)
        var two: LoadedModel? = try repository.load("m", version: 1)
        _ = try repository.load("m", version: 2)
        let kept = [Pruning.Kept(version: 1, aliases: [])]
        #expect(try repository.prune("m", keeping: 1) == Pruning(removed: [2], kept: kept))
        #expect(one?.version == 1)
        one = nil
        #expect(try repository.prune("m", keeping: 1).kept == kept)
        #expect(two?.version == 1)
        two = nil
        #expect(try repository.prune("m", keeping: 1).removed == [1])
        let error = #expect(throws: RepositoryError.self) { try repository.load("m", version: 1) }
        #expect(error?.code == .notFound)
    }

    /// A reader that was stopped between opening a version and holding it does not get it.
    @Test func whoComesTooLateGetsNothing() throws {
        for call in [DiskCall.Kind.tryShare, .open] {
            try publish(2)
            let version = try #require(repository.versions(of: "m").first)
            let manifest = directory.file("m/\(version)/manifest.json")
            // The second opening is the comparison of what is there with what is held.
            let point = StopPoint.atCall(skipping: call == .open ? 1 : 0) {
                $0.kind == call && $0.path == manifest
            }
            DiskObservation.install(point, on: directory.path)
            let failure = Lock<RepositoryError?>(nil)
            let reader = try PinnedThread(name: "reader", core: nil) { [repository] in
                do throws(RepositoryError) { _ = try repository.load("m", version: version) } catch
                { failure.withLock { $0 = error } }
            }
            #expect(Patience.wait { point.isReached })
            let pruning = try repository.prune("m", keeping: 1)
            point.release()
            reader.join()
            DiskObservation.remove(point)
            if call == .tryShare {
                #expect(pruning.removed.contains(version))
                #expect(failure.withLock { $0?.code } == .notFound)
            } else {
                // It had the version already.
                #expect(pruning.kept.map(\.version) == [version])
                #expect(failure.withLock { $0 } == nil)
            }
        }
    }

    /// Every call that removing makes fails, and from then on all: as when it is killed there.
    @Test func removingThatIsCutShortLeavesAVersionOrNone() throws {
        try publish(3)
        for duration in [FaultPlan.Duration.once, .forever] {
            let broken = try FaultPlan.forEachCall(.error(5), duration) { plan in
                let directory = try self.directory.copy()
                let repository = ModelRepository(path: directory.path)
                do {
                    _ = try plan.run(on: directory.path) { try repository.prune("m", keeping: 1) }
                } catch {}
                let versions = try repository.directories(of: "m")
                #expect(versions.contains(3))
                for version in versions {
                    #expect(try repository.load("m", version: version).model == model)
                }
                #expect(try repository.publish(model, as: "m", Publication(key: "")) == 4)
                _ = try repository.prune("m", keeping: 1)
                #expect(try repository.directories(of: "m") == [4])
                let names = try Files.list(directory.file("m"))
                #expect(names.allSatisfy { !$0.contains(".tmp-") }, "\(names)")
            }
            #expect(broken > 20)
        }
    }
}
