internal import MillraceSystem

/// What the kernel says about the machine's cores and about this process's right to them.
public struct CoreTopology: Sendable, Equatable {
    /// One more than the highest core number that Linux knows on any machine.
    static let limit = 8192

    /// The cores that exist, ascending.
    public let existing: [Int]
    /// The cores that the affinity mask of the calling thread allows, ascending.
    public let allowed: [Int]
    /// For each allowed core, the cores that share its physical core, itself included.
    public let siblings: [Int: [Int]]
    /// How many cores' worth of time the control groups grant; nil where they set no limit.
    public let processorShare: Double?

    /// A topology with these facts.
    public init(
        existing: [Int], allowed: [Int], siblings: [Int: [Int]] = [:],
        processorShare: Double? = nil
    ) {
        self.existing = existing
        self.allowed = allowed
        self.siblings = siblings
        self.processorShare = processorShare
    }

    /// This machine, as the calling thread sees it now.
    ///
    /// What the kernel hides, as some containers do, is taken to be the least surprising: the cores
    /// that are allowed exist, each is a physical core, and there is no limit.
    public static func current() -> CoreTopology {
        CoreTopology(allowed: CPU.allowed(), systemRoot: "")
    }

    /// The same, from the files below `systemRoot` instead of those of this machine.
    ///
    /// - Source: the Linux kernel's `Documentation/admin-guide/cputopology.rst`.
    package init(allowed: [Int], systemRoot: String) {
        let devices = "\(systemRoot)/sys/devices/system/cpu"
        let present = Self.cores(inFile: "\(devices)/present") ?? []
        var siblings: [Int: [Int]] = [:]
        for core in allowed {
            siblings[core] = Self.cores(
                inFile: "\(devices)/cpu\(core)/topology/thread_siblings_list")
        }
        self.init(
            existing: Set(present).union(allowed).sorted(), allowed: allowed,
            siblings: siblings, processorShare: ControlGroups.processorShare(below: systemRoot))
    }

    private static func cores(inFile path: String) -> [Int]? {
        guard let line = KernelText.read(path)?.split(separator: "\n").first else { return nil }
        do { return try CoreList.parse(String(line)) } catch { return nil }
    }
}
