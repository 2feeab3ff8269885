/// Everything on a simulated disk at one moment, durable and not.
struct DiskState: Sendable {
    /// By node; nil for directories.
    private var files: [SimulatedFile?] = [nil]
    private var durableNames = SimulatedNames()
    private var pendingNames: [SimulatedNames.Change] = []

    /// Adds what is on the disk from the beginning; nodes are numbered in this order, from 1.
    mutating func addDurable(_ place: SimulatedNames.Place, _ content: [UInt8]?) {
        durableNames.apply(.put(files.count, place))
        files.append(content.map { SimulatedFile(durable: $0) })
    }

    var names: SimulatedNames { durableNames }

    var nodeCount: Int { files.count }

    var directories: Set<SimulatedNames.Node> {
        Set(files.indices.filter { files[$0] == nil })
    }

    mutating func apply(_ event: DiskEvent) {
        switch event {
        case .write(let node, let offset, let bytes): files[node]?.write(bytes, at: offset)
        case .resize(let node, let size): files[node]?.resize(to: size)
        case .grow(let node, let end): files[node]?.grow(to: end)
        case .sync(let node, let count): files[node]?.sync(first: count)
        case .failSync(let node, let count): files[node]?.failSync(first: count)
        case .create(let node, let place, let isDirectory):
            precondition(node == files.count)
            files.append(isDirectory ? nil : SimulatedFile())
            pendingNames.append(.put(node, place))
        case .rename(let node, let place): pendingNames.append(.put(node, place))
        case .remove(let node, let place): pendingNames.append(.remove(node, place))
        case .syncDirectory(let node): syncNames(in: node)
        }
    }

    private mutating func syncNames(in directory: SimulatedNames.Node) {
        var left: [SimulatedNames.Change] = []
        for change in pendingNames {
            if change.directory == directory {
                durableNames.apply(change)
                // What came before of the same file, elsewhere, is over: it was moved.
                left.removeAll { $0.node == change.node }
            } else {
                left.append(change)
            }
        }
        pendingNames = left
    }

    /// Calls `body` with the path of everything on a disk that may be left when the power goes now,
    /// directories before what is in them, and with the content of each file.
    func afterCrash(seed: UInt64, _ body: (String, ByteImage?) throws -> Void) rethrows {
        var names = durableNames
        var choice = CrashChoice(seed: seed, stream: 0)
        for change in pendingNames where choice.happened() { names.apply(change) }
        try visit(SimulatedNames.root, path: "", names, seed, body)
    }

    private func visit(
        _ directory: SimulatedNames.Node, path: String, _ names: SimulatedNames, _ seed: UInt64,
        _ body: (String, ByteImage?) throws -> Void
    ) rethrows {
        for (name, node) in names.entries(of: directory) {
            let place = path.isEmpty ? name : path + "/" + name
            if let file = files[node] {
                var choice = CrashChoice(seed: seed, stream: node)
                try body(place, file.afterCrash(&choice))
            } else {
                try body(place, nil)
                try visit(node, path: place, names, seed, body)
            }
        }
    }
}
