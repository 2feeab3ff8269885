internal import MillraceSystem

/// The durable state of one consumer group, held by one owner alone.
///
/// The directory `DATA/groups/GROUP` has three files: `lock`, which the owner keeps locked and which
/// names its process; `generation`, see `GenerationFile`; and `offsets`, see `OffsetFile`. The kernel
/// releases the lock when the owner lets go of the value or dies, however it dies.
///
/// **Thread-safety**: any thread may call anything.
public final class GroupDirectory: Sendable {
    /// The group's name.
    public let name: String
    /// The committed offsets.
    public let offsets: OffsetStore

    private let generationFile: GenerationFile
    private let lock: FileLock

    /// Takes the group over and begins a new generation.
    ///
    /// - Throws: `GroupError` with `inUse`, `corrupt`, `unsupportedVersion`, `outOfGenerations` or
    ///   `system`.
    init(_ paths: GroupPaths, above floor: UInt32) throws(GroupError) {
        name = paths.group
        do throws(SystemError) { try Files.createDirectory(paths.directory) } catch {
            throw .system(error, group: paths.group)
        }
        lock = try paths.acquireLock()
        try paths.removeTemporaries()

        generationFile = GenerationFile(path: paths.generation, group: name)
        let contents =
            Files.exists(paths.offsets) ? try OffsetFile.read(paths.offsets, group: name) : nil
        let newest = max(try generationFile.read(), contents?.newest.generation ?? 0, floor)
        guard newest < .max else { throw .outOfGenerations(name) }
        try generationFile.write(newest + 1)
        offsets = try OffsetStore(
            group: name, path: paths.offsets, generation: newest + 1, found: contents)
    }

    /// The group's current generation; never used before this owner took the group over.
    public var generation: UInt32 { offsets.generation }

    /// Begins the next generation, as every rebalance does, and makes it durable first.
    ///
    /// - Returns: The new generation; commits of all earlier ones are refused from now on.
    /// - Throws: `GroupError.system`; the generation then stays what it was.
    public func advanceGeneration() throws(GroupError) -> UInt32 {
        try offsets.advance(after: generationFile)
    }
}
