/// What the aliases of a model name.
public struct ModelAliases: Sendable, Equatable, Codable {
    /// The version that each alias names: `latest` where there is any version, and all others.
    public let versions: [String: Int]
    /// Whether `latest` was rolled back and stays where it is until the next promotion.
    public let isRolledBack: Bool

    /// The aliases that name a version, sorted.
    public func names(of version: Int) -> [String] {
        versions.filter { $0.value == version }.map(\.key).sorted()
    }
}

/// Where an alias was and is.
public struct AliasChange: Sendable, Equatable, Codable {
    /// The alias.
    public let alias: String
    /// The version that it named before; nil for none.
    public let from: Int?
    /// The version that it names now.
    public let to: Int

    package init(alias: String, from: Int?, to: Int) {
        self.alias = alias
        self.from = from
        self.to = to
    }
}
