import Experiments

/// The resolved configuration.
extension ReportPage {
  struct Settings { var sections: [SettingsGroup] }

  struct SettingsGroup {
    var sectionName: String
    var sectionCount: String
    var entries: [SettingsSection.Row]
  }

  static func settings(_ record: RunRecord) -> Settings? {
    let sections = SettingsSection.all(of: record.configuration)
    guard !sections.isEmpty else { return nil }
    return Settings(
      sections: sections.map { section in
        let count = section.rows.count
        return SettingsGroup(
          sectionName: section.name, sectionCount: "\(count) setting\(count == 1 ? "" : "s")", entries: section.rows)
      })
  }
}
