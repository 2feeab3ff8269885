internal import FoundationEssentials
internal import MillraceSystem

/// What a process tells others about a stage that it runs: `millrace top` shows it.
///
/// It is a file in the group's directory, written anew each second and removed when the stage ends.
/// What a killed process leaves behind is passed over, and removed by the next of the group. It says
/// nothing that is needed to go on, and is not synced.
public struct StageReport: Sendable, Equatable, Codable {
    /// The process.
    public let process: Int
    let startTime: UInt64
    let namespace: UInt64
    /// The model version in use; nil where the stage uses none.
    public let modelVersion: Int?
    /// Batches of the last ten seconds; nil where there were none.
    public let latency: BatchLatency?

    init(_ identity: ProcessIdentity, modelVersion: Int?, latency: BatchLatency?) {
        process = Int(identity.pid)
        startTime = identity.startTime
        namespace = identity.namespace
        self.modelVersion = modelVersion
        self.latency = latency
    }

    private static let maxBytes = 4096

    private static func directory(_ group: String, _ data: String) -> String {
        "\(data)/groups/\(group)/stages"
    }

    private static func path(_ group: String, _ data: String, _ process: Int) -> String {
        "\(directory(group, data))/\(process).json"
    }

    /// What the processes that are alive tell of a group; none where none does.
    ///
    /// - Parameter data: The data directory.
    public static func all(of group: String, data: String) -> [StageReport] {
        names(group, data).compactMap { read("\(directory(group, data))/\($0)") }.filter(\.isAlive)
    }

    private static func names(_ group: String, _ data: String) -> [String] {
        do throws(SystemError) { return try Files.list(directory(group, data)).sorted() } catch {
            return []
        }
    }

    /// Nil for what is no report, such as one that is removed at this moment.
    private static func read(_ path: String) -> StageReport? {
        guard path.hasSuffix(".json") else { return nil }
        do {
            let bytes = try Files.read(path, maxBytes: maxBytes)
            return try JSONDecoder().decode(StageReport.self, from: Data(bytes))
        } catch { return nil }
    }

    /// Processes of another namespace cannot be looked at and count as alive.
    private var isAlive: Bool {
        do throws(SystemError) {
            guard try ProcessIdentity.ownNamespace() == namespace else { return true }
        } catch { return true }
        return ProcessIdentity(
            pid: Int32(clamping: process), startTime: startTime, namespace: namespace
        ).isAlive
    }

    /// Tells others; a failure is nobody's concern but the reader's.
    func write(_ group: String, data: String) {
        let path = Self.path(group, data, process)
        do {
            try Files.createDirectory(Self.directory(group, data))
            let bytes = [UInt8](try JSONEncoder().encode(self))
            try Files.replace(path, bytes)
        } catch {}
    }

    /// Removes the report of this process, and those of processes that were killed.
    static func remove(_ group: String, data: String, process: Int) {
        for name in names(group, data) {
            let path = "\(directory(group, data))/\(name)"
            let isOurs = name.hasPrefix("\(process).")
            guard isOurs || read(path)?.isAlive == false else { continue }
            do throws(SystemError) { try Files.remove(path) } catch {}
        }
    }
}
