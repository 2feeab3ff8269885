import Glibc
import MillraceGroups
import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// A process for tests to kill, stop and let go: a producer, or a member of a group.
///
///     MillraceGroupsWorker produce data=DIR topic=T partition=P [pause=US]
///     MillraceGroupsWorker score data=DIR from=T to=T group=G worker=N notes=FILE [cores=N]
///         [hang=MS] [instance=NAME] [grace=MS] [forks=1] [stop=commit|append after=N]
///         [stop=join]
///
/// It prints `ready` before its first step, with `stop` `stopped` when it stands still just before
/// its Nth such write, or when it has joined, and `refused` when one was refused. SIGTERM drains a member: it hands over
/// and ends with code 0. Exit code 1 and a line that says why: something was refused that must not
/// be.
@main enum Worker {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        do {
            guard let command = arguments.first else { throw Complaint("which command?") }
            let options = try Options(arguments.dropFirst())
            switch command {
            case "produce": try produce(options)
            case "score": try Scoring(options).run()
            default: throw Complaint("unknown command \(command)")
            }
        } catch {
            say("\(error)")
            exit(1)
        }
    }

    /// Appends small batches until somebody ends it.
    private static func produce(_ options: Options) throws {
        let topic = try DataDirectory(options.text("data"), create: false)
            .topic(options.text("topic"))
        var writer = try topic.writer(partition: options.number("partition"))
        let pause = Int64(try options.number("pause", or: 500)) * 1000
        var random = SystemRandomNumberGenerator()
        say("ready")
        while true {
            var builder = BatchBuilder()
            for _ in 0...Int.random(in: 0..<4, using: &random) { builder.append(value: "row".utf8) }
            try writer.append(&builder)
            PinnedThread.sleep(nanoseconds: pause)
        }
    }
}
