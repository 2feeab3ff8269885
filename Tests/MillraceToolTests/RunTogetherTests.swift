import Glibc
import Millrace
import MillraceSystem
import MillraceTestSupport
import Testing

/// Stages that are run by several processes at once.
@Suite(.serialized) struct RunTogetherTests {
    private static let lines = (0..<6000).map { "\($0 % 7),\($0 * $0 % 11),\($0 % 2)" }

    /// Source offsets of each partition of a topic, with or without an output, in the topic's order.
    private func outcomes(_ workshop: Workshop, _ name: String) throws -> [[UInt64]] {
        let topic = try DataDirectory(workshop.data, create: false).topic(name)
        return try (0..<topic.partitions).map { partition in
            var offsets: [UInt64] = []
            var reader = try topic.reader(partition: partition)
            while let batch = try reader.next() {
                for row in 0..<batch.rows { offsets.append(batch.sourceOffset(row)) }
            }
            return offsets
        }
    }

    private func start(_ workshop: Workshop, _ stage: String) throws -> ToolProcess {
        try ToolProcess([
            "run", workshop.pipeline, "--data", workshop.data, "--stage", stage,
        ])
    }

    /// Runs a stage by three processes, one of which is killed.
    private func runTogether(_ workshop: Workshop, _ stage: String) throws {
        let victim = try start(workshop, stage)
        let others = [try start(workshop, stage), try start(workshop, stage)]
        usleep(UInt32.random(in: 0...150_000))
        victim.send(SIGKILL)
        _ = try victim.outcome()
        for other in others {
            let outcome = try other.outcome()
            #expect(outcome.code == 0, "\(outcome.errors)")
        }
        // Whoever was last alone finds the end, or what is left when the others ended before the death.
        let last = try start(workshop, stage).outcome()
        #expect(last.code == 0, "\(last.errors)")
    }

    @Test(arguments: [("predict", "scores"), ("prepare", "rows")])
    func stagesOfSeveralProcesses(stage: String, topic: String) throws {
        let workshop = try Workshop(lines: Self.lines, Workshop.Parts(partitions: 4))
        #expect(try workshop.run().code == 0)
        // As if the stage had never run: where its output is gone, it begins anew.
        try Files.removeTree(workshop.data + "/topics/" + topic)
        try runTogether(workshop, stage)
        let made = try outcomes(workshop, topic)
        #expect(made.map(\.count).reduce(0, +) == Self.lines.count)
        for offsets in made { #expect(offsets == Array(0..<UInt64(offsets.count))) }
    }
}
