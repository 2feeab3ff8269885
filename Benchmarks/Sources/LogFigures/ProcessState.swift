internal import FoundationEssentials

/// What this process holds of the machine at one moment.
public struct ProcessState: Sendable {
    /// Bytes of memory that are there, those of mapped files included: `VmRSS`.
    public let resident: Int
    /// Memory of its own.
    public let memory: Machine.PrivateMemory
    /// Open files.
    public let descriptors: Int
    /// Ranges of addresses that are mapped.
    public let mappings: Int
    /// Threads.
    public let threads: Int

    /// Of this moment.
    public static func current() throws -> ProcessState {
        let status = "/proc/self/status"
        return ProcessState(
            resident: Machine.number(of: status, after: "VmRSS:") << 10,
            memory: .current(),
            // The listing itself holds one.
            descriptors: try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
                - 1,
            mappings: Machine.lines(of: "/proc/self/maps"),
            threads: Machine.number(of: status, after: "Threads:"))
    }
}
