internal import ArgumentParser
internal import Millrace

@main
struct MillraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Streams rows through a log, features, training and scoring on pinned cores.",
        discussion: """
            Example: millrace run models/flights.yaml --report flights.html
            """,
        version: MillraceVersion.current,
        subcommands: [
            RunCommand.self, TrainCommand.self, ScoreCommand.self, TopicCommand.self,
            ProduceCommand.self, ConsumeCommand.self, MirrorCommand.self, GroupCommand.self,
            ModelCommand.self, TopCommand.self, DoctorCommand.self,
        ])

    /// Parses and runs, and ends the process with an exit code of sysexits.h.
    static func main() {
        do {
            var command = try parseAsRoot()
            // A wrong name in the environment would otherwise be passed over in silence.
            try ExitStatus.coded { _ = try KernelSet.choose() }
            try command.run()
        } catch {
            ExitStatus.end(with: error)
        }
    }
}
