internal import Glibc

/// Settings that whoever runs the tests gives in environment variables.
package enum Environment {
    /// The whole number in a variable; `fallback` when it is not set or no such number.
    package static func number(_ name: String, or fallback: Int) -> Int {
        text(name).flatMap { Int($0) } ?? fallback
    }

    /// The text in a variable; nil when it is not set.
    package static func text(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
