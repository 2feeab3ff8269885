internal import MillraceSystem

/// A directory that is removed when the test lets go of it.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// `inMemory` asks for a place where syncs cost nothing, where the machine has one.
    package init(_ name: String = "millrace-test", inMemory: Bool = false) throws {
        let place = inMemory && Files.isDirectory("/dev/shm") ? "/dev/shm" : "/tmp"
        let number = UInt32.random(in: 0...UInt32.max)
        path = "\(place)/\(name)-\(Clock.monotonicNanoseconds())-\(number)"
        try Files.createDirectory(path)
    }

    deinit { try? Files.removeTree(path) }

    package func file(_ name: String) -> String { path + "/" + name }
}
