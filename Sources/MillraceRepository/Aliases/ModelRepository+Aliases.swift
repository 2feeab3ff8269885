internal import MillraceInput
internal import MillraceSystem

/// Names for versions that can be moved: `NAME@stable` and, for `NAME` alone, `latest`.
///
/// - `latest` is the newest version, and follows what is published.
/// - `promote` lets `stable`, or another alias, name a version; that stays so until the next one.
/// - `rollback` takes `latest` to the version before, or to a given one, where it stays whatever is
///   published, until the next promotion of the same model: then `latest` is the version promoted
///   until a version is published that is newer than all that there are. A promotion of an alias
///   other than `stable` and `latest` does not end a rollback.
/// - `rollback` of another alias takes it to the version that it named before; again, further back.
///
/// **Durability**: when `promote` or `rollback` returns, the change survives a loss of power;
/// after a crash the aliases are the old or the new ones. Concurrent changes follow each other.
/// Readers never wait and see the aliases before or after a change.
extension ModelRepository {
    static let aliasesName = ".aliases"

    /// The version that a reference means now; nil when there is none.
    ///
    /// Cheap enough to be polled: reads one small file, and for `latest` lists one directory.
    ///
    /// - Throws: `RepositoryError` with `invalidName`, `malformedFile`, `checksumMismatch` or
    ///   `storage`.
    public func resolve(_ reference: ModelReference) throws(RepositoryError) -> Int? {
        try candidates(for: reference).first { _ in true }
    }

    /// The versions that may stand for a reference, the one that is meant first: should it not
    /// load, the one after it is the best that there is.
    ///
    /// - Throws: as `resolve`.
    package func candidates(
        for reference: ModelReference
    ) throws(RepositoryError) -> some Sequence<Int> {
        let directory = try directory(of: reference.name)
        return try choices(for: reference.selector, in: directory).lazy.filter {
            Files.exists("\(directory)/\($0)/\(Self.manifestName)")
        }
    }

    private func choices(
        for selector: ModelReference.Selector, in directory: String
    ) throws(RepositoryError) -> [Int] {
        switch selector {
        case .version(let number): return [number]
        case .alias(ModelReference.latest):
            let pin = try aliasTable(in: directory).latest
            if let pin, pin.until == nil { return [pin.version] }
            let newer = try list(directory).compactMap(Self.version)
                .filter { $0 > pin?.until ?? 0 }.sorted(by: >)
            return newer + (pin.map { [$0.version] } ?? [])
        case .alias(let alias):
            return try aliasTable(in: directory).named[alias].map { [$0[0]] } ?? []
        }
    }

    /// The version that a reference means now.
    ///
    /// - Throws: `RepositoryError` with `notFound` when there is none, which says what there is;
    /// else
    ///   as `resolve`.
    public func version(of reference: ModelReference) throws(RepositoryError) -> Int {
        if let version = try resolve(reference) { return version }
        let versions = try versions(of: reference.name)
        guard let oldest = versions.first, let newest = versions.last else {
            let hint = NearestName.hint(reference.name, among: try names())
            throw notFound("there is no version of a model '\(reference.name)'\(hint)")
        }
        guard case .alias(let alias) = reference.selector else {
            throw notFound(
                "there is no '\(reference)'; versions are "
                    + (oldest == newest ? "\(newest)" : "\(oldest) to \(newest)"))
        }
        let named = try aliasTable(in: directory(of: reference.name)).named
        if let version = named[alias]?.first {
            throw notFound("'\(reference)' is version \(version), which is not there any more")
        }
        let hint = NearestName.hint(alias, among: [ModelReference.latest] + named.keys.sorted())
        throw notFound("the model '\(reference.name)' has no alias '\(alias)'\(hint)")
    }

    private func notFound(_ detail: String) -> RepositoryError {
        RepositoryError(.notFound, path: path, detail)
    }

    /// What the aliases of a model name; those whose version is gone are left out.
    ///
    /// - Throws: as `resolve`.
    public func aliases(of name: String) throws(RepositoryError) -> ModelAliases {
        let table = try aliasTable(in: directory(of: name))
        var versions: [String: Int] = [:]
        for alias in [ModelReference.latest] + table.named.keys {
            versions[alias] = try resolve(ModelReference(name, .alias(alias)))
        }
        return ModelAliases(
            versions: versions, isRolledBack: table.latest.map { $0.until == nil } ?? false)
    }

    /// Lets an alias name a version, durably, and ends a rollback.
    ///
    /// The version is loaded first: one that does not load is not promoted.
    ///
    /// - Returns: What has changed: the alias first, then `latest` where a rollback has ended.
    /// - Throws: `RepositoryError` with `invalidName` (of the alias, too), `notFound`, `busy` or
    ///   `storage`, what `load` throws, or what `resolve` throws for a damaged table of aliases.
    @discardableResult
    public func promote(
        _ name: String, version: Int, as alias: String = ModelReference.stable
    ) throws(RepositoryError) -> [AliasChange] {
        guard ModelReference.isAlias(alias) else {
            throw RepositoryError(
                .invalidName, path: path,
                "'\(alias)' cannot be an alias: it begins with a letter. \(Names.rule)")
        }
        let isLatest = alias == ModelReference.latest
        return try changingAliases(of: name, version) { (table, newest) throws(RepositoryError) in
            if !isLatest {
                guard table.named[alias] != nil || table.named.count < AliasTable.maxAliases else {
                    throw RepositoryError(
                        .invalidName, path: path,
                        "'\(name)' has \(AliasTable.maxAliases) aliases already; use one of them")
                }
                table.point(alias, at: version)
            }
            let ends = alias == ModelReference.stable && table.latest != nil
            if isLatest || ends {
                table.latest =
                    version == newest ? nil : AliasTable.Pin(version: version, until: newest)
            }
            return isLatest ? [alias] : [alias, ModelReference.latest]
        }
    }

    /// Takes an alias back, durably; `latest` stays there until the next promotion.
    ///
    /// Without `version`, `latest` goes to the version below the one it is, and another alias to
    /// the one that it named before; versions that are gone are passed over. The version is loaded
    /// first.
    ///
    /// - Throws: `RepositoryError` with `notFound` where there is nothing to go back to, else as
    ///   `promote`.
    @discardableResult
    public func rollback(
        _ name: String, to version: Int? = nil, alias: String = ModelReference.latest
    ) throws(RepositoryError) -> AliasChange {
        let changes = try changingAliases(of: name, version) {
            (table, _) throws(RepositoryError) in
            let current = try self.version(of: ModelReference(name, .alias(alias)))
            let versions = try self.versions(of: name)
            let isLatest = alias == ModelReference.latest
            let before =
                isLatest
                ? versions.last { $0 < current }
                : table.named[alias]?.dropFirst().first { versions.contains($0) }
            guard let target = version ?? before else {
                throw self.notFound(
                    "'\(name)@\(alias)' is version \(current) and was no other before: say which "
                        + "one it is to be")
            }
            if version == nil { _ = try self.load(name, version: target) }
            if isLatest {
                table.latest = AliasTable.Pin(version: target, until: nil)
            } else {
                table.takeBack(alias, to: target)
            }
            return [alias]
        }
        return changes[0]
    }

    /// Changes the aliases of a model under its lock.
    ///
    /// `change` gets the table and the newest version, and returns the aliases to report.
    private func changingAliases(
        of name: String, _ version: Int?,
        _ change: (inout AliasTable, Int) throws(RepositoryError) -> [String]
    ) throws(RepositoryError) -> [AliasChange] {
        let directory = try directory(of: name)
        // Refused before there is a directory to lock.
        let latest = ModelReference(name)
        _ = try self.version(of: version.map { ModelReference(name, .version($0)) } ?? latest)
        let lock = try lock(directory)
        if let version { _ = try load(name, version: version) }
        let before = try aliases(of: name).versions
        var table = try aliasTable(in: directory)
        let newest = try self.latest(of: name) ?? 0
        let reported = try change(&table, newest)
        do {
            try Files.writeDurably("\(directory)/\(Self.aliasesName)", table.encoded())
        } catch { throw RepositoryError(error) }
        let after = try aliases(of: name).versions
        _ = consume lock
        return reported.enumerated().compactMap { index, alias in
            guard let to = after[alias], index == 0 || before[alias] != to else { return nil }
            return AliasChange(alias: alias, from: before[alias], to: to)
        }
    }

    func aliasTable(in directory: String) throws(RepositoryError) -> AliasTable {
        let file = "\(directory)/\(Self.aliasesName)"
        let bytes: [UInt8]
        do { bytes = try Files.read(file, maxBytes: AliasTable.maxBytes) } catch {
            if error.isNotFound { return AliasTable() }
            throw RepositoryError(error)
        }
        return try AliasTable(bytes, path: file)
    }
}
