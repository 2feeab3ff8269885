import Glibc
import MillraceLog
import MillraceSystem
import MillraceTestSupport

/// A process for tests to kill and stop: it works on one partition until somebody ends it.
///
///     MillraceLogWorker append data=DIR topic=T partition=0 producer=7 notes=FILE [batches=N]
///         [rows=MAX] [flush=EVERY] [durable=1] [mapped=1] [named=1] [forks=1]
///     MillraceLogWorker read data=DIR topic=T partition=0 [wait=spin|yield|sleep] [notes=FILE]
///         [trimmed=1]
///     MillraceLogWorker recover|retain|flush|check data=DIR topic=T partition=0
///     MillraceLogWorker proofs
///
/// It prints `ready` before its first step. Exit code 1 and a line that says why: the log refused,
/// or something that was read is not what was written. Exit code 3: the log refused because another
/// instance of the named producer has appended.
@main enum Worker {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        do {
            guard let command = arguments.first else { throw Complaint("which command?") }
            try run(command, try Options(arguments.dropFirst()))
        } catch {
            say("\(error)")
            exit((error as? LogError)?.code == .fenced ? 3 : 1)
        }
    }

    private static func run(_ command: String, _ options: Options) throws {
        if command == "proofs" { return try Proofs.run() }
        let topic = try DataDirectory(options.text("data"), create: false)
            .topic(options.text("topic"))
        let partition = try options.number("partition")
        say("ready")
        switch command {
        case "append":
            var appending = try Appending(topic, partition, options)
            try appending.run()
        case "recover": try recover(topic, partition)
        case "retain": try retain(topic, partition)
        case "flush": while true { try topic.flush(partition: partition) }
        case "read":
            var reading = try Reading(options)
            try reading.follow(topic, partition)
        case "check":
            var reading = try Reading(options)
            try reading.readToEnd(topic, partition)
        default: throw Complaint("unknown command \(command)")
        }
    }

    /// Opens the partition for writing and closes it, again and again.
    private static func recover(_ topic: Topic, _ partition: Int) throws {
        for turn in 0... {
            let writer = try topic.writer(partition: partition)
            // Every second time as a process that was killed would leave it.
            if turn % 2 == 0 { try writer.close() }
        }
    }

    /// Removes what the retention policy lets go, again and again.
    private static func retain(_ topic: Topic, _ partition: Int) throws {
        var writer = try topic.writer(partition: partition)
        while true {
            try writer.applyRetention()
            PinnedThread.sleep(nanoseconds: 500_000)
        }
    }
}
