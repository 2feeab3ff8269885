import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Runs on cores that groups of other processes use.
@Suite struct RunSharedCoresTests {
    private let workshop: Workshop
    private let data: DataDirectory
    private let cores = CoreList(automaticOn: .current()).cores

    init() throws {
        workshop = try Workshop()
        try #require(try workshop.run().code == 0)
        data = try DataDirectory(workshop.data, create: false)
    }

    private func occupy(_ cores: [Int]) throws -> ConsumerGroup {
        try ConsumerGroup(data: data, name: "others", topics: [data.topic("rows")], cores: cores)
    }

    @Test func namedCoresAreRefused() throws {
        let others = try occupy([cores[0]])
        let before = try workshop.content(below: "/topics")
        try workshop.run(["--cores", "\(cores[0])"]).expectError(
            75, "core \(cores[0]), which group 'others' of process \(getpid()) uses",
            "--share-cores")
        #expect(try workshop.content(below: "/topics") == before)
        let shared = try workshop.run(["--cores", "\(cores[0])", "--share-cores"])
        #expect(shared.code == 0 && shared.errors == "", "\(shared.errors)")
        _ = others.name
    }

    @Test func coresThatAreNotNamedAreSharedWithAWarning() throws {
        let others = try occupy(cores)
        let outcome = try workshop.run(["--stage", "predict"])
        #expect(outcome.code == 0)
        #expect(
            outcome.errors.contains(
                "warning: predict shares core \(cores[0]) with group 'others' of process \(getpid())"
            ), "\(outcome.errors)")
        _ = others.name
        guard cores.count > 1 else { return }
        // Where one is free it is used, and nothing need be said.
        let free = try Workshop()
        let some = try DataDirectory(free.data, create: true)
        let topic = try some.topic("t", creating: TopicConfiguration(kind: .bytes))
        let one = try ConsumerGroup(data: some, name: "others", topics: [topic], cores: [cores[0]])
        let run = try free.run()
        #expect(run.code == 0 && run.errors == "", "\(run.errors)")
        _ = one.name
    }
}
