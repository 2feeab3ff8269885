import Glibc
import MillraceLog
import MillraceTestSupport

/// A process for tests to kill and stop: it works on one partition until somebody ends it.
///
///     MillraceLogWorker append data=DIR topic=T partition=0 producer=7 notes=FILE [batches=N]
///     MillraceLogWorker recover|read data=DIR topic=T partition=0
///     MillraceLogWorker proofs
///
/// It prints `ready` before its first step. Exit code 1 and a line that says why: the log refused,
/// or something that was read is not what was written.
@main enum Worker {
    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        do {
            guard let command = arguments.first else { throw Complaint("which command?") }
            try run(command, try Options(arguments.dropFirst()))
        } catch {
            say("\(error)")
            exit(1)
        }
    }

    private static func run(_ command: String, _ options: Options) throws {
        if command == "proofs" { return try Proofs.run() }
        let topic = try DataDirectory(options.text("data"), create: false)
            .topic(options.text("topic"))
        let partition = try options.number("partition")
        say("ready")
        switch command {
        case "append": try Appending(topic, partition, options).run()
        case "recover": try recover(topic, partition)
        case "read": try Reading.follow(topic, partition, forever: true)
        case "check": try Reading.follow(topic, partition, forever: false)
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
}

/// Prints a line at once: a process that is killed has no time to empty its buffers.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = unsafe write(1, bytes, bytes.count)
}

/// What is wrong, in words.
struct Complaint: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// The arguments behind the command, each `name=value`.
struct Options {
    private var values: [String: String] = [:]

    init(_ arguments: some Sequence<String>) throws {
        for argument in arguments {
            guard let sign = argument.firstIndex(of: "=") else {
                throw Complaint("'\(argument)' is not name=value")
            }
            values[String(argument[..<sign])] = String(argument[argument.index(after: sign)...])
        }
    }

    func text(_ name: String) throws -> String {
        guard let value = values[name] else { throw Complaint("\(name)= is missing") }
        return value
    }

    func number(_ name: String) throws -> Int {
        guard let value = Int(try text(name)) else { throw Complaint("\(name)= is no number") }
        return value
    }

    func number(_ name: String, or fallback: Int) throws -> Int {
        values[name] == nil ? fallback : try number(name)
    }
}
