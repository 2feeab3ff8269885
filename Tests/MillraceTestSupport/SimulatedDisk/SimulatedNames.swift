/// Which files and directories there are, and where. There are no hard links.
struct SimulatedNames: Sendable {
    typealias Node = Int

    /// A name in a directory.
    struct Place: Hashable, Sendable, CustomStringConvertible {
        let directory: Node
        let name: String

        var description: String { "\(directory)/\(name)" }
    }

    /// A change of names. It takes effect whole, or not at all.
    enum Change: Sendable {
        /// Creates, or moves from wherever the node was; replaces what was there.
        case put(Node, Place)
        case remove(Node, Place)

        var node: Node {
            switch self {
            case .put(let node, _), .remove(let node, _): node
            }
        }

        /// The directory whose sync makes the change durable.
        var directory: Node {
            switch self {
            case .put(_, let place), .remove(_, let place): place.directory
            }
        }
    }

    /// The directory in which all names are.
    static let root: Node = 0

    private var entries: [Node: [String: Node]] = [:]
    private var places: [Node: Place] = [:]

    func node(at place: Place) -> Node? { entries[place.directory]?[place.name] }

    /// The node that a path of names leads to, from the root.
    func node(at path: some Sequence<Substring>) -> Node? {
        var node = Self.root
        for name in path {
            guard let next = entries[node]?[String(name)] else { return nil }
            node = next
        }
        return node
    }

    /// What is in a directory, by name.
    func entries(of directory: Node) -> [(name: String, node: Node)] {
        (entries[directory] ?? [:]).sorted { $0.key < $1.key }.map {
            (name: $0.key, node: $0.value)
        }
    }

    mutating func apply(_ change: Change) {
        switch change {
        case .put(let node, let place):
            if let old = places[node] { entries[old.directory]?[old.name] = nil }
            if let replaced = self.node(at: place) { places[replaced] = nil }
            entries[place.directory, default: [:]][place.name] = node
            places[node] = place
        case .remove(let node, let place):
            guard self.node(at: place) == node else { return }
            entries[place.directory]?[place.name] = nil
            places[node] = nil
        }
    }
}
