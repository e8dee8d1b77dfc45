import Files
import Support
import Testing

@testable import Reporting

struct SettingsTests {
  @Test func sectionsAreTopLevelGroups() {
    let sections = SettingsSection.all(
      of: .object([
        "seed": .int(7), "empty": .object([:]),
        "attack": .object(["rate": .double(0.1), "patch": .object(["size": .int(3), "color": .null])]),
        "grid": .object([
          "cells": .array([.object(["a": .bool(true)]), .object(["a": .bool(false)])]), "list": .array([]),
        ]),
      ]))
    #expect(sections.map(\.name) == ["general", "attack", "grid"])
    let rows = sections.map { $0.rows.map { "\($0.key)=\($0.text)" } }
    #expect(
      rows == [
        ["empty=none", "seed=7"], ["patch.color=not set", "patch.size=3", "rate=0.1"],
        ["cells[0].a=yes", "cells[1].a=no", "list=none"],
      ])
  }

  @Test func aConfigurationWithoutGroups() {
    #expect(SettingsSection.all(of: .null).isEmpty)
    #expect(SettingsSection.all(of: .string("x")).first?.rows.first?.text == "x")
  }

  @Test func textIsSafeInHTML() {
    #expect(HTMLText.escape("a<b>&\"'`") == "a&lt;b&gt;&amp;&quot;&#39;&#96;")
    #expect(HTMLText.escape("\"\u{301}x") == "&quot;\u{301}x")
    #expect(HTMLText.escape("a\u{202E}b\u{0}c\u{7F}") == "ab\u{FFFD}c\u{FFFD}")
    #expect(HTMLText.escape("é ∞ 猫\n") == "é ∞ 猫\n")
  }
}
