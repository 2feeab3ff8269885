internal import MillraceLog
internal import MillraceSystem

/// The mapped file through which the members of a group see each other.
///
/// Allocated at creation; each changing word has a cache line of its own. Words marked * are
/// checked words (`CheckedWord`):
///
/// | Byte | Type | Field |
/// | --- | --- | --- |
/// | 0 | u64 | magic `MLRGPAGE` |
/// | 8 | u32 | format version, 1 |
/// | 12 | u32 | zero |
/// | 64 | u64* | current: which record is the group's state (`Place`) |
/// | 128 | u64* | durable: a record that is known to be on the disk |
/// | 192 | u64* | ceiling: synced before any generation below it is used |
/// | 256 | u64* | boot id of the last change |
/// | 4,096 + 64 n | u64 | progress of member n: grows while it is at work         |
/// | 20,480 + 64 p | u64* | partition p: generation of the owner |
/// | 20,488 + 64 p | u64* | partition p: what that owner committed: next offset + 1 |
///
/// The two words of a partition are replaced together, so a commit and a change of hands exclude
/// each other, whoever was stopped in between: an owner's commit fails once the generation is not
/// its own.
struct GroupPage: ~Copyable, Sendable {
    /// `MLRGPAGE` as it stands in the file.
    static let magic: UInt64 = 0x4547_4150_4752_4c4d
    static let version: UInt32 = 1
    static let progressByte = 4096
    static let partitionsByte = progressByte + 64 * GroupState.maxMembers
    static let byteCount = partitionsByte + 64 * GroupState.maxPartitions
    static let currentByte = 64
    static let durableByte = 128
    static let ceilingByte = 192
    static let bootByte = 256

    private let map: MappedFile
    var path: String { map.path }

    init(_ map: consuming MappedFile) { self.map = map }

    /// Where a record of the state is: of which member number, and which of its three files.
    struct Place: Equatable {
        /// One more than that of the record before.
        var version: UInt64
        /// Member number of who wrote it.
        var number: Int
        /// Which of that number's files: never the current or the durable one is overwritten.
        var file: Int

        static let files = 3
        static let maxVersion: UInt64 = (1 << 44) - 1

        init(version: UInt64, number: Int, file: Int) {
            self.version = version
            self.number = number
            self.file = file
        }

        init?(_ word: UInt64) {
            guard let value = CheckedWord.open(word) else { return nil }
            version = value >> 12
            number = Int(value >> 2 & 0x3FF)
            file = Int(value & 3)
        }

        var word: UInt64 { CheckedWord.seal(version << 12 | UInt64(number) << 2 | UInt64(file)) }
    }

    /// The bytes of a new page, whose state is the record at `place`.
    static func bytes(_ place: Place, boot: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        LittleEndian.store(magic, into: &bytes, at: 0)
        LittleEndian.store(version, into: &bytes, at: 8)
        LittleEndian.store(place.word, into: &bytes, at: currentByte)
        LittleEndian.store(place.word, into: &bytes, at: durableByte)
        LittleEndian.store(CheckedWord.seal(0), into: &bytes, at: ceilingByte)
        LittleEndian.store(CheckedWord.seal(boot), into: &bytes, at: bootByte)
        for partition in 0..<GroupState.maxPartitions {
            let byte = partitionsByte + 64 * partition
            LittleEndian.store(CheckedWord.seal(0), into: &bytes, at: byte)
            LittleEndian.store(CheckedWord.seal(0), into: &bytes, at: byte + 8)
        }
        return bytes
    }

    /// - Throws: `GroupError` with `corrupt` or `unsupportedVersion`.
    func checkHeader(_ group: String) throws(GroupError) {
        let magic = word(at: 0)
        guard magic == Self.magic else {
            throw .corrupt(
                group, path: path, byte: 0, expected: "magic \(Self.magic)", found: "\(magic)")
        }
        let version = word(at: 8)
        guard version == UInt64(Self.version) else {
            throw .unsupportedVersion(
                group, path: path, byte: 8, expected: Int(Self.version),
                found: Int(truncatingIfNeeded: version))
        }
    }

    func word(at byte: Int) -> UInt64 { map.word(at: byte).loadAcquiring() }

    /// Replaces a word in one step.
    func replace(at byte: Int, _ expected: UInt64, by desired: UInt64) -> Bool {
        map.word(at: byte).compareExchange(expected: expected, desired: desired)
    }

    /// Replaces a checked word by another value in one step.
    func replaceChecked(at byte: Int, _ expected: UInt64, by value: UInt64) -> Bool {
        replace(at: byte, expected, by: CheckedWord.seal(value))
    }

    /// The value of a checked word.
    ///
    /// - Throws: `GroupError.corrupt`.
    func value(at byte: Int, _ group: String) throws(GroupError) -> UInt64 {
        let word = word(at: byte)
        guard let value = CheckedWord.open(word) else {
            throw .corrupt(
                group, path: path, byte: byte, expected: "a word that matches its check",
                found: "\(word)")
        }
        return value
    }

    /// Stores a checked word.
    func store(_ value: UInt64, at byte: Int) {
        map.word(at: byte).storeReleasing(CheckedWord.seal(value))
    }

    /// The record that is current or, with `durableByte`, durable.
    func place(at byte: Int, _ group: String) throws(GroupError) -> Place {
        let word = word(at: byte)
        guard let place = Place(word), place.number < GroupState.maxMembers,
            place.file < Place.files
        else {
            throw .corrupt(
                group, path: path, byte: byte, expected: "a place that matches its check",
                found: "\(word)")
        }
        return place
    }

    /// Makes everything in the page durable.
    func sync() throws(SystemError) { try map.sync(bytes: Self.byteCount) }

    // MARK: Progress

    private static func progressByte(_ number: Int) -> Int { progressByte + 64 * number }

    /// What member `number` last said of its progress.
    func progress(_ number: Int) -> UInt64 {
        map.word(at: Self.progressByte(number)).loadRelaxed()
    }

    /// Says that member `number` moves; 0 that it need not.
    @inline(__always)
    func setProgress(_ number: Int, _ value: UInt64) {
        map.word(at: Self.progressByte(number)).storeRelaxed(value)
    }

    // MARK: Partitions

    typealias Tenure = GroupState.Tenure

    /// The tenure of partition `index`.
    ///
    /// - Throws: `GroupError.corrupt`.
    func tenure(_ index: Int, _ group: String) throws(GroupError) -> Tenure {
        let byte = Self.partitionsByte + 64 * index
        let (first, second) = map.wordPair(at: byte).loadAcquiring()
        guard let generation = CheckedWord.open(first), generation <= UInt64(UInt32.max) else {
            throw .corrupt(
                group, path: path, byte: byte, expected: "a generation that matches its check",
                found: "\(first)")
        }
        guard let committed = CheckedWord.open(second) else {
            throw .corrupt(
                group, path: path, byte: byte + 8, expected: "an offset that matches its check",
                found: "\(second)")
        }
        return Tenure(
            generation: UInt32(generation), next: committed == 0 ? nil : committed - 1)
    }

    /// Replaces a tenure in one step; false when another was there.
    func replace(_ index: Int, _ expected: Tenure, by desired: Tenure) -> Bool {
        map.wordPair(at: Self.partitionsByte + 64 * index).compareExchange(
            expected: Self.words(expected), desired: Self.words(desired))
    }

    private static func words(_ tenure: Tenure) -> (first: UInt64, second: UInt64) {
        let committed = tenure.next.map { $0 + 1 } ?? 0
        return (CheckedWord.seal(UInt64(tenure.generation)), CheckedWord.seal(committed))
    }
}
