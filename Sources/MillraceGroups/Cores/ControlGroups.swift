/// The limits that control groups set to the processor time of this process.
///
/// - Source: the Linux kernel's `Documentation/admin-guide/cgroup-v2.rst` (`cpu.max`) and
///   `Documentation/scheduler/sched-bwc.rst` (`cpu.cfs_quota_us`, `cpu.cfs_period_us`).
enum ControlGroups {
    /// The least share, in cores, that any group above this process grants; nil without a limit.
    ///
    /// Looks at the unified hierarchy and at the `cpu` controller of the old one, in each from the
    /// group of this process up to the root. In a container the path that `/proc/self/cgroup` names
    /// may lie outside of what is mounted; its root, which then is the container's, is always read.
    static func processorShare(below systemRoot: String) -> Double? {
        let mount = "\(systemRoot)/sys/fs/cgroup"
        var shares: [Double] = []
        for line in (KernelText.read("\(systemRoot)/proc/self/cgroup") ?? "0::/").split(
            separator: "\n")
        {
            // hierarchy-ID:controller-list:path
            let fields = line.split(
                separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let ancestors = groupAndAncestors(String(fields[2]))
            if fields[0] == "0" {
                shares += ancestors.compactMap { unified("\(mount)\($0)") }
            } else if fields[1].split(separator: ",").contains("cpu") {
                shares += ancestors.compactMap { legacy("\(mount)/\(fields[1])\($0)") }
                shares += ancestors.compactMap { legacy("\(mount)/cpu\($0)") }
            }
        }
        return shares.min()
    }

    /// `/a/b` gives `/a/b`, `/a` and the empty path of the root.
    private static func groupAndAncestors(_ path: String) -> [String] {
        var names = path.split(separator: "/")
        var paths: [String] = []
        while true {
            paths.append(names.map { "/\($0)" }.joined())
            if names.popLast() == nil { return paths }
        }
    }

    /// `cpu.max` holds `QUOTA PERIOD` in microseconds, or `max PERIOD`.
    private static func unified(_ directory: String) -> Double? {
        let words = KernelText.read("\(directory)/cpu.max")?.split(whereSeparator: \.isWhitespace)
        guard let words, words.count == 2 else { return nil }
        return share(quota: Double(words[0]), period: Double(words[1]))
    }

    /// A quota of -1 is none.
    private static func legacy(_ directory: String) -> Double? {
        share(
            quota: number("\(directory)/cpu.cfs_quota_us"),
            period: number("\(directory)/cpu.cfs_period_us"))
    }

    private static func number(_ path: String) -> Double? {
        KernelText.read(path)?.split(whereSeparator: \.isWhitespace).first.flatMap { Double($0) }
    }

    private static func share(quota: Double?, period: Double?) -> Double? {
        guard let quota, let period, quota > 0, period > 0, quota.isFinite else { return nil }
        return quota / period
    }
}
