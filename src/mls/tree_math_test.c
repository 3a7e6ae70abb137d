/* tree_math_test.c - node arithmetic against tree-math.json. */
#include "base/bytes.h"
#include "mls/tree_math.h"

#include <setjmp.h>
#include <stdarg.h>
// cmocka wants the headers above first
#include <cmocka.h>

#include "mls/test_vectors.h"

static void check_entry(const cJSON *list, uint32_t node, bool exists, uint32_t got)
{
    const cJSON *want = cJSON_GetArrayItem(list, (int)node);
    assert_non_null(want);
    assert_int_equal(exists, cJSON_IsNumber(want));
    if (exists) {
        assert_int_equal(got, want->valueint);
    }
}

static void check_case(const cJSON *v)
{
    uint32_t leaves = vectors_u32(v, "n_leaves");
    uint32_t nodes = xmtp_node_count(leaves);
    uint32_t root = xmtp_tree_root(leaves);
    assert_int_equal(nodes, vectors_u32(v, "n_nodes"));
    assert_int_equal(root, vectors_u32(v, "root"));
    for (uint32_t x = 0; x < nodes; x++) {
        bool is_parent = !xmtp_node_is_leaf(x);
        check_entry(vectors_field(v, "left"), x, is_parent, is_parent ? xmtp_node_left(x) : 0);
        check_entry(vectors_field(v, "right"), x, is_parent, is_parent ? xmtp_node_right(x) : 0);
        check_entry(vectors_field(v, "parent"), x, x != root, xmtp_node_parent(x));
        check_entry(vectors_field(v, "sibling"), x, x != root, xmtp_node_sibling(x));
    }
}

static void tree_math_vectors_agree(void **state)
{
    (void)state;
    cJSON *file = vectors_open("mls/tree-math.json");
    const cJSON *v;
    cJSON_ArrayForEach(v, file)
    {
        check_case(v);
    }
    print_message("tree-math: %d passed\n", cJSON_GetArraySize(file));
    cJSON_Delete(file);
}

static void common_ancestor_is_the_lowest_node_above_both(void **state)
{
    (void)state;
    assert_int_equal(xmtp_node_common_ancestor(0, 0), 0);
    assert_int_equal(xmtp_node_common_ancestor(0, 2), 1);
    assert_int_equal(xmtp_node_common_ancestor(2, 4), 3);
    assert_int_equal(xmtp_node_common_ancestor(0, 14), 7);
    assert_int_equal(xmtp_node_common_ancestor(12, 9), 11);
    for (uint32_t a = 0; a < 63; a++) {
        for (uint32_t b = 0; b < 63; b++) {
            uint32_t c = xmtp_node_common_ancestor(a, b);
            assert_true(xmtp_node_contains(c, a) && xmtp_node_contains(c, b));
            assert_int_equal(c, xmtp_node_common_ancestor(b, a));
        }
    }
}

static void subtree_bounds_hold_all_descendants(void **state)
{
    (void)state;
    assert_int_equal(xmtp_node_first(7), 0);
    assert_int_equal(xmtp_node_last(7), 14);
    assert_int_equal(xmtp_node_first(11), 8);
    assert_int_equal(xmtp_node_last(4), 4);
    assert_int_equal(xmtp_node_level(31), 5);
    assert_int_equal(xmtp_node_count(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tree_math_vectors_agree),
        cmocka_unit_test(common_ancestor_is_the_lowest_node_above_both),
        cmocka_unit_test(subtree_bounds_hold_all_descendants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
