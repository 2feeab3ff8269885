/// One thing that was done to a simulated disk.
enum DiskEvent: Sendable {
    typealias Node = SimulatedNames.Node

    case write(Node, offset: Int, bytes: [UInt8])
    case resize(Node, size: Int)
    /// The file reaches at least to `end`.
    case grow(Node, end: Int)
    /// What was done to the first `count` bytes is synced; nil for all.
    case sync(Node, count: Int?)
    case failSync(Node, count: Int?)
    case create(Node, SimulatedNames.Place, isDirectory: Bool)
    case rename(Node, SimulatedNames.Place)
    case remove(Node, SimulatedNames.Place)
    case syncDirectory(Node)
}

extension DiskEvent: CustomStringConvertible {
    /// One line; files and directories by number, 0 for the root.
    var description: String {
        switch self {
        case .write(let node, let offset, let bytes):
            "write \(node): \(bytes.count) bytes at \(offset)"
        case .resize(let node, let size): "truncate \(node) to \(size)"
        case .grow(let node, let end): "allocate \(node) to \(end)"
        case .sync(let node, let count): "sync \(node), \(Self.extent(count))"
        case .failSync(let node, let count): "failed sync \(node), \(Self.extent(count))"
        case .create(let node, let place, let isDirectory):
            "create \(isDirectory ? "directory" : "file") \(node) as \(place)"
        case .rename(let node, let place): "rename \(node) to \(place)"
        case .remove(let node, let place): "remove \(node), \(place)"
        case .syncDirectory(let node): "sync directory \(node)"
        }
    }

    private static func extent(_ count: Int?) -> String {
        count.map { "the first \($0) bytes" } ?? "all bytes"
    }
}
