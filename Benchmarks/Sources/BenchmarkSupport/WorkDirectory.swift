internal import FoundationEssentials

/// A directory for files of a benchmark, removed with the value.
///
/// It is made in `MILLRACE_BENCHMARK_DIR`, or where temporary files go.
public final class WorkDirectory: Sendable {
    /// Where it is.
    public let path: String

    /// Makes it.
    public init() throws {
        let place =
            ProcessInfo.processInfo.environment["MILLRACE_BENCHMARK_DIR"]
            ?? FileManager.default.temporaryDirectory.path()
        path = place + "/millrace-\(UUID())"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        do { try FileManager.default.removeItem(atPath: path) } catch {
            print("cannot remove \(path): \(error)")
        }
    }
}
