internal import Glibc
internal import MillraceSystem

/// Turns calls, which name paths and descriptors, into events, which name nodes.
struct DiskRecorder {
    private(set) var events: [DiskEvent] = []
    private let root: String
    /// The names that the running system sees.
    private var names: SimulatedNames
    /// What was opened last under each identity: the kernel may use a number again.
    private var nodes: [FileIdentity: SimulatedNames.Node] = [:]
    private var directories: Set<SimulatedNames.Node>
    private var nodeCount: Int

    init(root: String, _ state: DiskState) {
        self.root = root
        names = state.names
        directories = state.directories
        nodeCount = state.nodeCount
    }

    mutating func record(_ call: DiskCall, result: Int) {
        if result < 0 { return recordFailure(call) }
        switch call {
        case .open(let path, let flags): opened(path, flags, descriptor: Int32(result))
        case .write(let file, let offset, let bytes):
            let done = result == bytes.count ? bytes : Array(bytes[..<result])
            events.append(.write(node(file), offset: offset, bytes: done))
        case .truncate(let file, let size): events.append(.resize(node(file), size: size))
        case .allocate(let file, let offset, let count):
            events.append(.grow(node(file), end: offset + count))
        case .sync(let file), .syncData(let file):
            let node = node(file)
            let isDirectory = directories.contains(node)
            events.append(isDirectory ? .syncDirectory(node) : .sync(node, count: nil))
        case .syncMap(let file, let count): events.append(.sync(node(file), count: count))
        case .makeDirectory(let path): create(path, isDirectory: true)
        case .rename(let from, let to): renamed(from, to)
        case .unlink(let path), .removeDirectory(let path): removed(path)
        case .status, .size, .read, .startWriteback, .map, .populate, .tryLock, .tryShare,
            .unlock, .queryLock, .list:
            break
        }
    }

    mutating func record(storeInto file: DiskCall.File, offset: Int, bytes: [UInt8]) {
        events.append(.write(node(file), offset: offset, bytes: bytes))
    }

    /// Only a failed sync changes something: what was unsynced will not be by a later one.
    private mutating func recordFailure(_ call: DiskCall) {
        switch call {
        case .sync(let file), .syncData(let file):
            events.append(.failSync(node(file), count: nil))
        case .syncMap(let file, let count): events.append(.failSync(node(file), count: count))
        default: break
        }
    }

    private mutating func opened(_ path: String, _ flags: Int32, descriptor: Int32) {
        let node: SimulatedNames.Node
        if let known = names.node(at: parts(path)) {
            node = known
        } else {
            guard flags & O_CREAT != 0 else { fatalError("\(path) was made behind the file layer") }
            node = create(path)
        }
        nodes[FileIdentity(descriptor: descriptor)] = node
        if flags & O_TRUNC != 0 { events.append(.resize(node, size: 0)) }
    }

    @discardableResult
    private mutating func create(
        _ path: String, isDirectory: Bool = false
    ) -> SimulatedNames.Node {
        let node = nodeCount
        nodeCount += 1
        if isDirectory { directories.insert(node) }
        let place = place(path)
        names.apply(.put(node, place))
        events.append(.create(node, place, isDirectory: isDirectory))
        return node
    }

    private mutating func renamed(_ from: String, _ to: String) {
        let node = known(from)
        let place = place(to)
        names.apply(.put(node, place))
        events.append(.rename(node, place))
    }

    private mutating func removed(_ path: String) {
        // The end of the root itself is the end of the test.
        if parts(path).isEmpty { return }
        let node = known(path)
        let place = place(path)
        names.apply(.remove(node, place))
        events.append(.remove(node, place))
    }

    // MARK: Nodes

    private func node(_ file: DiskCall.File) -> SimulatedNames.Node {
        guard let node = nodes[file.identity] else {
            fatalError("\(file.path) was opened before the recording began")
        }
        return node
    }

    private func known(_ path: String) -> SimulatedNames.Node {
        guard let node = names.node(at: parts(path)) else {
            fatalError("\(path) was made behind the file layer")
        }
        return node
    }

    private func parts(_ path: String) -> [Substring] {
        path.dropFirst(root.count).split(separator: "/")
    }

    private func place(_ path: String) -> SimulatedNames.Place {
        let parts = parts(path)
        guard let name = parts.last, let directory = names.node(at: parts.dropLast()) else {
            fatalError("\(path) is not on the disk")
        }
        return SimulatedNames.Place(directory: directory, name: String(name))
    }
}
