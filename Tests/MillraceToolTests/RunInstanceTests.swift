import Glibc
import Millrace
import MillraceTestSupport
import Testing

/// Runs whose members come back under a name.
@Suite struct RunInstanceTests {
    private let workshop: Workshop
    private let data: DataDirectory

    init() throws {
        workshop = try Workshop()
        try #require(try workshop.run().code == 0)
        data = try DataDirectory(workshop.data, create: false)
    }

    /// The members' names are those that were asked for, and one process has them at a time.
    @Test func instancesAreNamed() throws {
        try workshop.run(["--instance", "a b"]).expectError(64, "instance id 'a b'", "letters")
        let options = MemberOptions(instance: "host-1")
        let other = try ConsumerGroup(
            data: data, name: "predict", topics: [data.topic("rows")],
            outputs: [data.topic("scores")], options: options)
        try workshop.run(["--stage", "predict", "--instance", "host-1"]).expectError(
            75, "instance 'host-1-0'", "process \(getpid())")
        _ = other.name
    }
}
