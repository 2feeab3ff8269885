import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

/// Publishing killed at every call of the kernel, in a process of its own.
@Suite struct PublishingKillTests {
    private let model: Model

    init() throws {
        var draw = Draw(3)
        model = try draw.model([2, 1])
    }

    @Test func aKilledPublisherLeavesAWholeVersionOrNoneAndHoldsNobodyUp() throws {
        let prepared = try TemporaryDirectory("millrace-killed", inMemory: true)
        _ = try ModelRepository(path: prepared.path).publish(
            model, as: "m", Publication(key: "first"))
        var kills = 0
        // Killed early, it has left nothing; late, a version under its key.
        var hasPublished: Set<Bool> = []
        for call in 1... {
            let directory = try prepared.copy()
            let repository = ModelRepository(path: directory.path)
            let worker = try ChildProcess(
                ChildProcess.besideUs("MillraceModelsWorker"),
                ["models=\(directory.path)", "key=next", "call=\(call)"])
            let ending = worker.wait()
            let versions = try repository.versions(of: "m")
            #expect(versions == [1] || versions == [1, 2])
            for version in versions {
                #expect(try repository.load("m", version: version).version == version)
            }
            guard ending == .signal(9) else {
                #expect(ending == .code(0) && versions == [1, 2])
                break
            }
            kills += 1
            hasPublished.insert(versions.count == 2)
            // The lock has gone with the process: publishing again waits for nobody.
            let again = try repository.publish(model, as: "m", Publication(key: "next"))
            #expect(versions.count == 2 ? again == 2 : (2...3).contains(again))
            let names = try Files.list(directory.file("m"))
            #expect(names.allSatisfy { !$0.contains(".tmp-") }, "\(names)")
        }
        #expect(kills > 30 && hasPublished == [true, false])
    }
}
