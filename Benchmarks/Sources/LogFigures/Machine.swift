internal import BenchmarkSupport
internal import FoundationEssentials
internal import MillraceCompute

/// What figures were taken on.
public enum Machine {
    /// Kernel set and OpenBLAS core, for the name of a figure.
    public static var kernels: String {
        let set = KernelSet.available.first?.rawValue ?? "none"
        return "kernels \(set), OpenBLAS \(OpenBLAS.prepare().core)"
    }

    /// Model name of the processor.
    public static var processor: String {
        line(of: "/proc/cpuinfo", after: "model name\t: ") ?? "unknown processor"
    }

    /// Processors that are online.
    public static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    /// Release of the kernel, without the builder's suffix.
    public static var kernel: String {
        let release = text(of: "/proc/sys/kernel/osrelease")
        return "Linux " + String(release.prefix { $0.isNumber || $0 == "." })
    }

    /// Type of the file system that files of benchmarks are on.
    public static func fileSystem() throws -> String {
        let directory = try WorkDirectory()
        let mounts = text(of: "/proc/self/mounts").split(whereSeparator: \.isNewline)
        let places = mounts.map { $0.split(separator: " ") }.filter { $0.count > 2 }
        let path = directory.path + "/"
        let holding = places.filter { place in
            place[1] == "/" || path.hasPrefix(place[1] + "/")
        }
        let nearest = holding.max { $0[1].count < $1[1].count }
        return nearest.map { String($0[2]) } ?? "unknown file system"
    }

    /// Memory of this process that is its own, in bytes.
    public struct PrivateMemory: Sendable {
        /// Anonymous pages: `RssAnon` of `/proc/self/status`.
        public let anonymous: Int
        /// Unchanged pages that no other process maps, those of mapped files included:
        /// `Private_Clean` of `/proc/self/smaps_rollup`.
        public let clean: Int
        /// Changed pages that no other process maps: `Private_Dirty`.
        public let dirty: Int

        /// Of this moment.
        public static func current() -> PrivateMemory {
            PrivateMemory(
                anonymous: anonymous(),
                clean: number(of: "/proc/self/smaps_rollup", after: "Private_Clean:") << 10,
                dirty: number(of: "/proc/self/smaps_rollup", after: "Private_Dirty:") << 10)
        }

        /// The anonymous pages alone, which the kernel tells without a walk over all pages.
        public static func anonymous() -> Int {
            number(of: "/proc/self/status", after: "RssAnon:") << 10
        }
    }

    /// The first number behind `name` in a file of the kernel; 0 where there is none.
    static func number(of path: String, after name: String) -> Int {
        let words = line(of: path, after: name)?.split(whereSeparator: \.isWhitespace)
        return words?.first.flatMap { Int($0) } ?? 0
    }

    /// How many lines a file has.
    static func lines(of path: String) -> Int {
        text(of: path).split(whereSeparator: \.isNewline).count
    }

    private static func line(of path: String, after start: String) -> String? {
        let lines = text(of: path).split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)) }
    }

    private static func text(of path: String) -> String {
        guard let data = FileManager.default.contents(atPath: path) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
