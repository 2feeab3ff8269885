internal import MillraceSystem

/// A topic that is being made, under a name that no topic can have.
///
/// Everything that is in a topic lies in a directory that carries the topic's id (`DATA/topics/NAME/ID`),
/// so that who still has an earlier topic of the same name open, or was stopped while it was deleted,
/// finds nothing of the later one. A topic gets its name by one rename, which succeeds for one of all
/// who try; so no lock is needed, and one that is stopped before it is in nobody's way.
struct TopicMaking: ~Copyable {
    private static let prefix = "~new-"
    private static let ownerPrefix = "~owner-"
    private static let deletedPrefix = "~deleted-"

    let id: UInt64
    private let topics: String
    /// Held while we live: what dead makers leave is removed by others.
    private let owner: FileLock

    /// What will be the directory of the topic's name.
    private var entry: String { topics + "/" + Self.prefix + Self.folder(id) }
    private var ownerPath: String { topics + "/" + Self.ownerPrefix + Self.folder(id) }

    /// The directory of what is in the topic.
    var directory: String { entry + "/" + Self.folder(id) }
    /// Where the description, which comes last, is to be.
    var description: String { entry + "/topic.json" }

    /// The name of the directory that holds what is in the topic `id`: 16 hexadecimal digits.
    static func folder(_ id: UInt64) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The topic id that the name of a directory tells; nil for another name.
    static func id(ofFolder name: String) -> UInt64? {
        UInt64(name, radix: 16).flatMap { folder($0) == name ? $0 : nil }
    }

    /// Begins a topic in `topics`, the directory of all topics.
    init(_ id: UInt64, in topics: String) throws(LogError) {
        self.id = id
        self.topics = topics
        try wrapping("cannot create the topics directory") { () throws(SystemError) in
            try Files.createDirectory(topics)
        }
        Self.sweep(topics)
        let path = topics + "/" + Self.ownerPrefix + Self.folder(id)
        let lock = try wrapping("cannot begin a topic") { () throws(SystemError) in
            try FileLock.acquire(path)
        }
        guard let lock else {
            throw LogError(.busy, "a topic of the same id is being made; try again", path: path)
        }
        owner = lock
    }

    /// Gives the topic, whose files are there and durable, its name; false, and nothing is left of
    /// it, when there are files of a topic of that name already.
    consuming func publish(as name: String) throws(LogError) -> Bool {
        let target = topics + "/" + name
        do throws(SystemError) {
            try Files.renameDurably(entry, target)
        } catch {
            remove()
            if error.isOccupied { return false }
            throw LogError(error, while: "cannot create topic '\(name)'")
        }
        remove()
        return true
    }

    /// Removes what is there so far.
    consuming func abandon() { remove() }

    private borrowing func remove() {
        // What is left is removed by who comes next.
        do throws(SystemError) {
            try Files.removeTree(entry)
            try Files.remove(ownerPath)
        } catch {}
    }

    /// Takes the files of a topic out of the way, so that there is no such topic any more; returns
    /// where they are.
    static func retire(_ name: String, id: UInt64, in topics: String) throws(LogError) -> String {
        let place = topics + "/" + deletedPrefix + folder(id)
        try wrapping("cannot delete topic '\(name)'") { () throws(SystemError) in
            try Files.renameDurably(topics + "/" + name, place)
        }
        return place
    }

    /// Removes what makers and deleters that died have left.
    private static func sweep(_ topics: String) {
        // Whatever cannot be removed now is left for the next one.
        do throws(SystemError) {
            for name in try Files.list(topics) where name.hasPrefix("~") {
                if name.hasPrefix(deletedPrefix) {
                    try Files.removeTree(topics + "/" + name)
                } else if name.hasPrefix(ownerPrefix) {
                    let owner = topics + "/" + name
                    guard let lock = try FileLock.acquire(owner) else { continue }
                    try Files.removeTree(topics + "/" + prefix + name.dropFirst(ownerPrefix.count))
                    try Files.remove(owner)
                    _ = consume lock
                }
            }
        } catch {}
    }
}
