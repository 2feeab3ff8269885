internal import Foundation

/// A process that does the same work by other means, one sample at a time.
///
/// Its script is given a directory, prints `ready`, and answers each line on its standard input, the
/// name of a work, with one line: units of work, seconds, and numbers that came of it.
public final class Peer {
    private let process = Process()
    private let requests = Pipe()
    private let answers = Pipe()

    /// Starts the script and waits until it is ready.
    public init(python: String, script: String, directory: String) throws {
        process.executableURL = URL(filePath: python)
        process.arguments = [script, directory]
        process.standardInput = requests
        process.standardOutput = answers
        try process.run()
        guard try line() == "ready" else { throw Failure("\(script) did not begin") }
    }

    /// A work that was not done, or not as it should have been.
    public struct Failure: Error, CustomStringConvertible {
        /// What failed.
        public let description: String

        /// With a line that says what failed.
        public init(_ description: String) {
            self.description = description
        }
    }

    /// Has one work done: nanoseconds a unit, and what came of it.
    public func run(_ name: String) throws -> (time: Double, result: [Double]) {
        try requests.fileHandleForWriting.write(contentsOf: Data("\(name)\n".utf8))
        let numbers = try line().split(separator: " ").compactMap { Double($0) }
        guard numbers.count > 1, numbers[0] > 0 else {
            throw Failure("\(name) was not done")
        }
        return (numbers[1] * 1e9 / numbers[0], Array(numbers[2...]))
    }

    private func line() throws -> String {
        var bytes = Data()
        while let byte = try answers.fileHandleForReading.read(upToCount: 1), byte.first != 10 {
            guard !byte.isEmpty else { break }
            bytes += byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Lets the script end.
    public func end() throws {
        try requests.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
