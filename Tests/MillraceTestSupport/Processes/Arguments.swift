internal import Glibc

/// Prints a line at once: a process that is killed has no time to empty its buffers.
package func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = unsafe write(1, bytes, bytes.count)
}

/// What is wrong, in words.
package struct Complaint: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The arguments behind the command, each `name=value`.
package struct Options {
    private var values: [String: String] = [:]

    package init(_ arguments: some Sequence<String>) throws {
        for argument in arguments {
            guard let sign = argument.firstIndex(of: "=") else {
                throw Complaint("'\(argument)' is not name=value")
            }
            values[String(argument[..<sign])] = String(argument[argument.index(after: sign)...])
        }
    }

    package func text(_ name: String) throws -> String {
        guard let value = values[name] else { throw Complaint("\(name)= is missing") }
        return value
    }

    package func text(_ name: String, or fallback: String) -> String {
        values[name] ?? fallback
    }

    package func number(_ name: String) throws -> Int {
        guard let value = Int(try text(name)) else { throw Complaint("\(name)= is no number") }
        return value
    }

    package func number(_ name: String, or fallback: Int) throws -> Int {
        values[name] == nil ? fallback : try number(name)
    }
}
