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
    /// When it was written, nanoseconds since 1970.
    let written: Int64
    /// The model version in use; nil where the stage uses none.
    public let modelVersion: Int?
    /// Batches of the last ten seconds; nil where there were none.
    public let latency: BatchLatency?
    /// Its part in a group of Kafka; nil where the stage reads the log.
    public let kafka: KafkaShare?

    init(
        _ identity: ProcessIdentity, modelVersion: Int?, latency: BatchLatency?,
        kafka: KafkaShare? = nil
    ) {
        process = Int(identity.pid)
        startTime = identity.startTime
        namespace = identity.namespace
        written = Clock.wallNanoseconds()
        self.modelVersion = modelVersion
        self.latency = latency
        self.kafka = kafka
    }

    private static let maxBytes = 1 << 16
    /// A report that is older is of a process that is gone, in another container perhaps.
    private static let longestSilence: Int64 = 10_000_000_000

    private static func directory(_ group: String, _ data: String) -> String {
        "\(data)/groups/\(group)/stages"
    }

    /// What the names of a process's files begin with: in containers several have one number.
    private static func stem(_ process: Int, _ namespace: UInt64) -> String {
        "\(process)-\(namespace)."
    }

    /// Makes room for the reports of a group's stage.
    static func prepare(_ group: String, data: String) {
        do throws(SystemError) { try Files.createDirectory(directory(group, data)) } catch {}
    }

    /// What the processes that are alive tell of a group; none where none does.
    ///
    /// - Parameter data: The data directory.
    public static func all(of group: String, data: String) -> [StageReport] {
        names(group, data).compactMap { read("\(directory(group, data))/\($0)") }.filter(\.isAlive)
    }

    /// The names of all groups that a stage has ever told of, in order.
    ///
    /// - Parameter data: The data directory.
    public static func groups(data: String) -> [String] {
        do throws(SystemError) {
            return try Files.list("\(data)/groups").sorted().filter {
                Files.exists(directory($0, data))
            }
        } catch { return [] }
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

    /// Processes of another namespace cannot be looked at: they are alive while they say something.
    private var isAlive: Bool {
        let silence = Clock.wallNanoseconds().subtracting(clamped: written)
        guard silence < Self.longestSilence else { return false }
        do throws(SystemError) {
            guard try ProcessIdentity.ownNamespace() == namespace else { return true }
        } catch { return true }
        return ProcessIdentity(
            pid: Int32(clamping: process), startTime: startTime, namespace: namespace
        ).isAlive
    }

    /// Tells others; a failure is nobody's concern but the reader's.
    func write(_ group: String, data: String) {
        let path = "\(Self.directory(group, data))/\(Self.stem(process, namespace))json"
        do {
            let bytes = [UInt8](try JSONEncoder().encode(self))
            try Files.replace(path, bytes)
        } catch {}
    }

    /// Removes the report of a process, and those of processes that were killed.
    static func remove(_ group: String, data: String, process: ProcessIdentity) {
        let own = stem(Int(process.pid), process.namespace)
        for name in names(group, data) {
            let path = "\(directory(group, data))/\(name)"
            // What was being written when a process was killed has no report beside it that lives.
            let isLeft =
                name.hasSuffix(".new")
                ? read(String(path.dropLast(4)))?.isAlive != true : read(path)?.isAlive == false
            guard name.hasPrefix(own) || isLeft else { continue }
            do throws(SystemError) { try Files.remove(path) } catch {}
        }
    }
}
