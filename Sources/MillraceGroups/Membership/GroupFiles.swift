internal import MillraceSystem

/// The files of one group, in `DATA/groups/GROUP`.
///
/// | File | Content |
/// | --- | --- |
/// | `page` | `GroupPage`: which record is the state, progress, who owns and committed what |
/// | `state-N.K` | the records (`GroupRecord`) that member number N wrote, three in turn |
/// | `members` | empty; member number N keeps byte N locked, which the kernel undoes at its death |
///
/// The state is changed by writing the next one into a file of one's own and then replacing
/// one word of the page, which fails when another was faster. Whoever is stopped or killed anywhere
/// in between holds up nobody, and has changed everything or nothing.
///
/// **Thread-safety**: any thread, but for `publish`: one at a time for each number.
final class GroupFiles: Sendable {
    let group: String
    let directory: String
    let page: GroupPage
    private let locks: FileHandle

    /// How many generations are made durable at a time.
    private static let generationReserve: UInt64 = 1024

    /// Opens the files of a group, which are made where they are not there and `create` says so.
    ///
    /// - Throws: `GroupError` with `invalidName`, `noSuchGroup`, `corrupt`, `unsupportedVersion` or
    ///   `system`.
    init(root: String, group: String, create: Bool) throws(GroupError) {
        guard Names.isValid(group) else { throw .invalidName(group) }
        let directory = "\(root)/\(group)"
        if create {
            try Self.checkLocks(beside: root, group)
            try Self.make(directory, group)
        }
        page = try Self.openPage("\(directory)/page", group)
        locks = try systemCall(group) { () throws(SystemError) in
            try FileHandle("\(directory)/members", .openOrCreate)
        }
        self.group = group
        self.directory = directory
        try page.checkHeader(group)
    }

    private static func openPage(_ path: String, _ group: String) throws(GroupError) -> GroupPage {
        let file = try openFile(path, group)
        let size = try systemCall(group) { () throws(SystemError) in try file.size() }
        guard size == GroupPage.byteCount else {
            throw .corrupt(
                group, path: path, byte: size, expected: "\(GroupPage.byteCount) bytes",
                found: "\(size)")
        }
        return try systemCall(group) { () throws(SystemError) in
            GroupPage(try file.map(bytes: GroupPage.byteCount, writable: true))
        }
    }

    private static func openFile(_ path: String, _ group: String) throws(GroupError) -> FileHandle {
        do throws(SystemError) { return try FileHandle(path, .readWrite) } catch {
            throw error.isNotFound
                ? .noSuchGroup(group, path: path) : .system(error, group: group)
        }
    }

    /// Asks for the holder of a lock in the data directory, which fails where there are no locks,
    /// before anything is made.
    private static func checkLocks(beside root: String, _ group: String) throws(GroupError) {
        _ = try systemCall(group) { () throws(SystemError) in
            try FileHandle("\(Files.parent(of: root))/format", .read).isLocked(byte: 0)
        }
    }

    /// Makes the files of a group that has none.
    ///
    /// Whoever makes them makes the same, and who comes second changes nothing: one that is stopped
    /// in between holds nobody up.
    private static func make(_ directory: String, _ group: String) throws(GroupError) {
        let path = "\(directory)/page"
        try systemCall(group) { () throws(SystemError) in
            if try Files.isThere(path) { return }
            try Files.createDirectory(directory)
            let place = GroupPage.Place(version: 1, number: 0, file: 0)
            _ = try Files.writeOnce(
                recordPath(directory, place), GroupRecord.encode(GroupState()))
            // Before there is a page that names the record.
            try Files.syncDirectory(directory)
            let boot = try BootID.current(for: directory)
            _ = try Files.writeOnce(path, GroupPage.bytes(place, boot: boot))
            try Files.syncDirectory(directory)
        }
    }

    private static func recordPath(_ directory: String, _ place: GroupPage.Place) -> String {
        "\(directory)/state-\(place.number).\(place.file)"
    }

    // MARK: The state

    /// The state, with what was committed since it was written, and the word that stands for it.
    ///
    /// - Throws: `GroupError` with `corrupt` or `system`.
    func read() throws(GroupError) -> (word: UInt64, state: GroupState) {
        while true {
            let word = page.word(at: GroupPage.currentByte)
            let place = try page.place(at: GroupPage.currentByte, group)
            guard place.word == word else { continue }
            var state: GroupState
            do throws(GroupError) { state = try read(place) } catch {
                // Another may have changed the state meanwhile, and begun to use the file again.
                if page.word(at: GroupPage.currentByte) != word { continue }
                // What a machine that went down did not write: the record before is as good.
                guard error.code != .system, try isOfEarlierBoot() else { throw error }
                state = try read(page.place(at: GroupPage.durableByte, group))
            }
            if page.word(at: GroupPage.currentByte) != word { continue }
            try addCommits(to: &state)
            return (word, state)
        }
    }

    private func read(_ place: GroupPage.Place) throws(GroupError) -> GroupState {
        let path = Self.recordPath(directory, place)
        let bytes = try systemCall(group) { () throws(SystemError) -> [UInt8]? in
            do throws(SystemError) {
                return try Files.read(path, maxBytes: GroupRecord.maxBytes)
            } catch {
                if error.isNotFound { return nil }
                throw error
            }
        }
        do throws(GroupRecord.Damage) { return try GroupRecord.decode(bytes ?? []) } catch {
            throw .corrupt(
                group, path: path, byte: error.byte, expected: error.expected,
                found: error.found)
        }
    }

    private func addCommits(to state: inout GroupState) throws(GroupError) {
        for index in state.partitions.indices {
            let tenure = try page.tenure(index, group)
            state.partitions[index].committed =
                state.partitions[index].committed(given: tenure)
        }
    }

    /// Whether the machine was restarted since the state was changed last.
    func isOfEarlierBoot() throws(GroupError) -> Bool {
        try page.value(at: GroupPage.bootByte, group) != bootID()
    }

    private func bootID() throws(GroupError) -> UInt64 {
        try systemCall(group) { () throws(SystemError) in try BootID.current(for: directory) }
    }

    /// Generations below this one may have been used when the machine went down.
    func generationCeiling() throws(GroupError) -> UInt32 {
        UInt32(clamping: try page.value(at: GroupPage.ceilingByte, group))
    }

    /// Says that the state is of this boot.
    func markBoot() throws(GroupError) { page.store(try bootID(), at: GroupPage.bootByte) }

    /// Makes `next` the state if the state still is what `word` stands for; the new word, or nil.
    ///
    /// - Parameters:
    ///   - number: A member number that the caller holds.
    ///   - isDurable: Whether a loss of power can take nothing back once this returns.
    /// - Throws: `GroupError` with `system`, `corrupt` or `outOfGenerations`.
    func publish(
        _ next: GroupState, over word: UInt64, number: Int, isDurable: Bool
    ) throws(GroupError) -> UInt64? {
        try reserve(next.generation)
        let current = try page.place(at: GroupPage.currentByte, group)
        let durable = try page.place(at: GroupPage.durableByte, group)
        guard current.word == word, current.version < GroupPage.Place.maxVersion else {
            return nil
        }
        let free = (0..<GroupPage.Place.files).first { file in
            ![current, durable].contains { $0.number == number && $0.file == file }
        }
        let place = GroupPage.Place(
            version: current.version + 1, number: number, file: free ?? 0)
        let path = Self.recordPath(directory, place)
        let bytes = GroupRecord.encode(next)
        try systemCall(group) { () throws(SystemError) in
            if isDurable { return try Files.writeDurably(path, bytes) }
            let file = try FileHandle(path, .openOrCreate)
            try file.truncate(to: 0)
            try file.write(bytes, at: 0)
        }
        guard page.replace(at: GroupPage.currentByte, word, by: place.word) else { return nil }
        if isDurable {
            try raiseDurable(to: place)
            try sync()
        }
        return place.word
    }

    private func raiseDurable(to place: GroupPage.Place) throws(GroupError) {
        while true {
            let seen = try page.place(at: GroupPage.durableByte, group)
            if seen.version >= place.version { return }
            if page.replace(at: GroupPage.durableByte, seen.word, by: place.word) { return }
        }
    }

    /// Makes sure that no generation up to `generation` is used again after a loss of power.
    private func reserve(_ generation: UInt32) throws(GroupError) {
        guard generation < .max else { throw .outOfGenerations(group) }
        while true {
            let ceiling = try page.value(at: GroupPage.ceilingByte, group)
            if UInt64(generation) < ceiling { return }
            let raised = UInt64(generation) + Self.generationReserve
            let word = page.word(at: GroupPage.ceilingByte)
            _ = page.replaceChecked(at: GroupPage.ceilingByte, word, by: raised)
            try sync()
        }
    }

    /// Makes every commit so far durable.
    func sync() throws(GroupError) {
        try systemCall(group) { () throws(SystemError) in try page.sync() }
    }

    // MARK: Member numbers

    /// Takes a member number that nobody holds.
    ///
    /// - Throws: `GroupError` with `tooManyMembers` or `system`.
    func takeNumber() throws(GroupError) -> Int {
        let number = try systemCall(group) { () throws(SystemError) -> Int? in
            for number in 0..<GroupState.maxMembers where try locks.tryLock(byte: number) {
                return number
            }
            return nil
        }
        guard let number else { throw .tooManyMembers(group) }
        page.setProgress(number, 0)
        return number
    }

    /// Gives a member number back.
    func giveBack(_ number: Int) {
        // Should this fail, the lock goes when the last descriptor does.
        do throws(SystemError) { try locks.unlock(byte: number) } catch {}
    }

    /// Whether another holder of this file has member number `number`.
    func isHeld(_ number: Int) throws(GroupError) -> Bool {
        try systemCall(group) { () throws(SystemError) in try locks.isLocked(byte: number) }
    }

    /// Whether the kernel says that a member is gone, to a process of a namespace.
    ///
    /// Its lock tells, and where a forked child may still hold that, or another has taken its
    /// number since, its process: number and start time. The numbers of another namespace mean
    /// nothing here; there the lock alone tells.
    func isGone(
        _ member: GroupState.Member, seenFrom namespace: UInt64
    ) throws(GroupError) -> Bool {
        guard !member.isAway, try isHeld(member.number) else { return true }
        return member.process.namespace == namespace && !member.process.isAlive
    }
}

/// Runs calls to the kernel on behalf of a group.
func systemCall<R: ~Copyable>(
    _ group: String, _ body: () throws(SystemError) -> R
) throws(GroupError) -> R {
    do throws(SystemError) { return try body() } catch { throw .system(error, group: group) }
}
