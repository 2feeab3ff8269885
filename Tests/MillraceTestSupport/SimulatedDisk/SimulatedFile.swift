/// The content of one file: what a disk surely holds of it, and what was done since.
///
/// - A sector is 512 bytes and is written whole or not at all. Each one that was written since it
///   was last synced holds, after a loss of power, any of its versions since then.
/// - Changes of the size take effect in their order: some first part of them survives. What was cut
///   off by a truncation that did not survive is as it was, and later writes beyond it are lost.
/// - A sync that fails leaves what was unsynced so for ever, even if a later sync succeeds, until
///   the sector is written again: the kernel takes the pages for clean.
/// - Space that was allocated or skipped reads as zeros.
struct SimulatedFile: Sendable {
    static let sectorBytes = 512
    private static let pageBytes = 4096

    private enum Change {
        /// `isStuck`: a sync failed since.
        case write(offset: Int, bytes: [UInt8], isStuck: Bool)
        case resize(Int)
    }

    private var durable: ByteImage
    private var pending: [Change] = []
    /// The size that the running system sees.
    private var size: Int
    private var hasStuckWrites = false

    /// A file that is on the disk with this content.
    init(durable bytes: [UInt8] = []) {
        durable = ByteImage(bytes)
        size = bytes.count
    }

    mutating func write(_ bytes: [UInt8], at offset: Int) {
        pending.append(.write(offset: offset, bytes: bytes, isStuck: false))
        grow(to: offset + bytes.count)
    }

    mutating func resize(to newSize: Int) {
        guard newSize != size else { return }
        pending.append(.resize(newSize))
        size = newSize
    }

    mutating func grow(to newSize: Int) { if newSize > size { resize(to: newSize) } }

    /// What was done to the first `count` bytes, and to the size, is on the disk.
    ///
    /// Whole pages are synced; nil stands for all bytes.
    mutating func sync(first count: Int? = nil) {
        let limit = count.map { ($0 + Self.pageBytes - 1) / Self.pageBytes * Self.pageBytes }
        let all = limit.map { $0 >= extent } ?? true
        if all && !hasStuckWrites { syncEverything() } else { sync(sectors(first: limit)) }
    }

    /// A sync of the first `count` bytes failed; nil for all bytes.
    mutating func failSync(first count: Int? = nil) {
        let limit = count ?? .max
        for index in pending.indices {
            guard case .write(let offset, let bytes, _) = pending[index], offset < limit else {
                continue
            }
            pending[index] = .write(offset: offset, bytes: bytes, isStuck: true)
            hasStuckWrites = true
        }
    }

    private mutating func syncEverything() {
        for change in pending {
            switch change {
            case .write(let offset, let bytes, _):
                durable.write(bytes, bytes.indices, at: offset)
            case .resize(let size): durable.resize(to: size)
            }
        }
        pending = []
    }

    /// Syncs these sectors alone, and the size.
    private mutating func sync(_ synced: [Bool]) {
        var left: [Change] = []
        for change in pending {
            switch change {
            case .write(let offset, let bytes, let isStuck):
                Self.forEachSector(of: bytes, at: offset) { sector, part in
                    if synced[sector] {
                        durable.write(bytes, part, at: offset + part.lowerBound)
                    } else {
                        left.append(
                            .write(
                                offset: offset + part.lowerBound, bytes: Array(bytes[part]),
                                isStuck: isStuck))
                    }
                }
            case .resize(let size):
                durable.resize(to: size)
                left = left.compactMap { Self.cut($0, to: size) }
            }
        }
        durable.resize(to: size)
        pending = left
        hasStuckWrites = left.contains {
            if case .write(_, _, true) = $0 { true } else { false }
        }
    }

    /// The sectors below `limit` that a sync writes: those with a write that is not stuck.
    private func sectors(first limit: Int?) -> [Bool] {
        var synced = [Bool](repeating: false, count: Self.sectorCount(extent))
        for case .write(let offset, let bytes, false) in pending {
            Self.forEachSector(of: bytes, at: offset) { sector, _ in
                if sector * Self.sectorBytes < limit ?? .max { synced[sector] = true }
            }
        }
        return synced
    }

    private static func cut(_ change: Change, to size: Int) -> Change? {
        guard case .write(let offset, let bytes, let isStuck) = change,
            offset + bytes.count > size
        else { return change }
        guard offset < size else { return nil }
        return .write(offset: offset, bytes: Array(bytes[..<(size - offset)]), isStuck: isStuck)
    }
}

// MARK: - Loss of power

extension SimulatedFile {
    /// What the disk holds when the power goes now.
    func afterCrash(_ choice: inout CrashChoice) -> ByteImage {
        guard !pending.isEmpty else { return durable }
        let resizes = pending.reduce(0) {
            if case .resize = $1 { $0 + 1 } else { $0 }
        }
        var resizesLeft = choice.version(newest: resizes)
        var writesLeft = chooseVersions(&choice)
        var image = durable
        var finalSize = durable.count
        // Beyond this, blocks written after a truncation that did not survive belong to nobody.
        var visibleEnd = Int.max
        for change in pending {
            switch change {
            case .resize(let size):
                if resizesLeft > 0 {
                    resizesLeft -= 1
                    image.resize(to: size)
                    finalSize = size
                } else {
                    visibleEnd = min(visibleEnd, size)
                }
            case .write(let offset, let bytes, _):
                Self.forEachSector(of: bytes, at: offset) { sector, part in
                    guard writesLeft[sector] > 0 else { return }
                    writesLeft[sector] -= 1
                    let end = min(part.upperBound, max(visibleEnd - offset, part.lowerBound))
                    image.write(bytes, part.lowerBound..<end, at: offset + part.lowerBound)
                }
            }
        }
        image.resize(to: finalSize)
        return image
    }

    /// How many of its pending writes each sector has seen.
    private func chooseVersions(_ choice: inout CrashChoice) -> [Int] {
        var versions = [Int](repeating: 0, count: Self.sectorCount(extent))
        for case .write(let offset, let bytes, _) in pending {
            Self.forEachSector(of: bytes, at: offset) { sector, _ in versions[sector] += 1 }
        }
        for sector in versions.indices where versions[sector] > 0 {
            versions[sector] = choice.version(newest: versions[sector])
        }
        return versions
    }

    /// The end of the last byte that was ever written.
    private var extent: Int {
        pending.reduce(max(durable.count, size)) {
            if case .write(let offset, let bytes, _) = $1 {
                max($0, offset + bytes.count)
            } else {
                $0
            }
        }
    }

    private static func sectorCount(_ bytes: Int) -> Int {
        (bytes + sectorBytes - 1) / sectorBytes
    }

    /// Calls `body` with each sector that a write touches, and the part of its bytes there.
    private static func forEachSector(
        of bytes: [UInt8], at offset: Int, _ body: (Int, Range<Int>) -> Void
    ) {
        var done = 0
        while done < bytes.count {
            let sector = (offset + done) / sectorBytes
            let end = min((sector + 1) * sectorBytes - offset, bytes.count)
            body(sector, done..<end)
            done = end
        }
    }
}
