internal import MillraceSystem

/// A directory that is removed when the test lets go of it.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init(_ name: String = "millrace-test") throws {
        path = "/tmp/\(name)-\(Clock.monotonicNanoseconds())-\(UInt32.random(in: 0...UInt32.max))"
        try Files.createDirectory(path)
    }

    deinit { try? Files.removeTree(path) }

    package func file(_ name: String) -> String { path + "/" + name }
}
