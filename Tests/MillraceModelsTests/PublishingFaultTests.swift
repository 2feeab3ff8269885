import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

/// Publishing, and moving aliases, broken at every call of the kernel.
///
/// A call that fails and all later ones with it leave what a killed process leaves: calls before it
/// are done, it and those behind it are not.
@Suite struct PublishingFaultTests {
    private let model: Model

    init() throws {
        var draw = Draw(9)
        model = try draw.model([3, 2])
    }

    @Test(arguments: zip([0, 2, 2], [FaultPlan.Duration.forever, .once, .forever]))
    func aVersionIsThereAsAWholeOrNotAtAll(
        published: Int, duration: FaultPlan.Duration
    ) throws {
        var given: Set<Int> = []
        var whole = 0
        let prepared = try TemporaryDirectory("millrace-publishing", inMemory: true)
        for number in 0..<published {
            _ = try ModelRepository(path: prepared.file("models")).publish(
                model, as: "m", Publication(key: "\(number)"))
        }
        let broken = try FaultPlan.forEachCall(.error(28), duration) { plan in
            let directory = try prepared.copy()
            let repository = ModelRepository(path: directory.path + "/models")
            func publish(_ key: String) throws -> Int {
                try repository.publish(model, as: "m", Publication(key: key))
            }
            var returned: Int?
            do { returned = try plan.run(on: directory.path) { try publish("next") } } catch {
                #expect(error is RepositoryError)
            }
            let versions = try repository.directories(of: "m")
            #expect(Array(versions.prefix(published)) == Array(0..<published).map { $0 + 1 })
            for version in versions {
                #expect(try repository.load("m", version: version).model == model)
            }
            if versions.count > published { whole += 1 }
            if let returned { #expect(versions.last == returned) }
            // What was tried again is there once; a number that may have been seen is not reused.
            let again = try publish("next")
            #expect(again == versions.dropFirst(published).last ?? again)
            let counter = try publish("after")
            #expect(counter > again && again > published)
            given.insert(again)
            #expect(try repository.versions(of: "m").count == published + 2)
            let names = try Files.list(directory.file("models/m"))
            #expect(names.allSatisfy { !$0.contains(".tmp-") }, "\(names)")
        }
        #expect(broken > 30)
        // Some end before a number is taken, some after, and some when the version has its name.
        #expect(given == [published + 1, published + 2] && whole > 0)
    }

    @Test(arguments: [FaultPlan.Duration.once, .forever])
    func aliasesAreTheOldOrTheNewOnes(duration: FaultPlan.Duration) throws {
        var seen: Set<[String: Int]> = []
        let prepared = try TemporaryDirectory("millrace-publishing", inMemory: true)
        let repository = ModelRepository(path: prepared.path)
        for _ in 0..<3 { _ = try repository.publish(model, as: "m", Publication(key: "")) }
        try repository.promote("m", version: 1)
        try repository.rollback("m")
        let broken = try FaultPlan.forEachCall(.error(5), duration) { plan in
            let directory = try prepared.copy()
            let repository = ModelRepository(path: directory.path)
            do {
                try plan.run(on: directory.path) { _ = try repository.promote("m", version: 3) }
            } catch {}
            let versions = try repository.aliases(of: "m").versions
            seen.insert(versions)
            #expect(
                versions == ["latest": 2, "stable": 1] || versions == ["latest": 3, "stable": 3])
            try repository.promote("m", version: 3)
            #expect(try repository.aliases(of: "m").versions == ["latest": 3, "stable": 3])
        }
        #expect(broken > 30 && seen.count == 2)
    }
}

extension TemporaryDirectory {
    /// Another directory with the same files, not synced.
    func copy() throws -> TemporaryDirectory {
        func copy(_ from: String, _ to: String) throws {
            for name in try Files.list(from) {
                let (source, target) = (from + "/" + name, to + "/" + name)
                if try Files.kind(of: source) == .directory {
                    try Files.createDirectory(target)
                    try copy(source, target)
                } else {
                    try FileHandle(target, .createNew).write(
                        Files.read(source, maxBytes: 1 << 20), at: 0)
                }
            }
        }
        let other = try TemporaryDirectory("millrace-copy", inMemory: true)
        try copy(path, other.path)
        return other
    }
}
