import MillraceSystem

@testable import MillraceLog

/// The files of a partition as they were at one moment, to be put back after each experiment.
struct PartitionImage {
    let directory: String
    private(set) var files: [String: [UInt8]] = [:]

    init(_ fixture: TopicFixture) throws {
        directory = fixture.partitionPath
        files = try Self.read(directory)
    }

    private static func read(_ directory: String) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in try Files.list(directory) {
            files[name] = try Damage.content(directory + "/" + name)
        }
        return files
    }

    /// Makes every file what it was, and removes those that came later.
    ///
    /// Nobody has the partition open.
    func restore() throws {
        for name in try Files.list(directory) where files[name] == nil {
            try Files.remove(directory + "/" + name)
        }
        for (name, bytes) in files {
            let file = try FileHandle(directory + "/" + name, .openOrCreate)
            if try file.size() != bytes.count { try file.truncate(to: bytes.count) }
            try file.write(bytes, at: 0)
        }
    }

    /// Whether all but `damaged` files are what they were, and no other has come.
    ///
    /// The append lock does not count: it may have been taken and given back.
    func isUnchanged(but damaged: Int) throws -> Bool {
        var now = try Self.read(directory)
        if let before = files["control"], now["control"]?.count == before.count {
            now["control"]?.replaceSubrange(576..<584, with: before[576..<584])
        }
        guard now.count == files.count else { return false }
        return files.count { now[$0.key] != $0.value } <= damaged
    }
}
