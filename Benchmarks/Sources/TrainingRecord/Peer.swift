internal import Foundation

/// The process that trains by other means, one sample at a time.
final class Peer {
    private let process = Process()
    private let requests = Pipe()
    private let answers = Pipe()

    init(python: String, script: String, directory: String) throws {
        process.executableURL = URL(filePath: python)
        process.arguments = [script, directory]
        process.standardInput = requests
        process.standardOutput = answers
        try process.run()
        guard try line() == "ready" else { throw Failure(description: "\(script) did not begin") }
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Has one of them train: nanoseconds a row, and what came of it.
    func train(_ name: String) throws -> (time: Double, result: [Double]) {
        try requests.fileHandleForWriting.write(contentsOf: Data("\(name)\n".utf8))
        let numbers = try line().split(separator: " ").compactMap { Double($0) }
        guard numbers.count > 2, numbers[0] > 0 else {
            throw Failure(description: "\(name) did not train")
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

    func end() throws {
        try requests.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
