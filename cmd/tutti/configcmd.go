package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tuttidb/tutti/cmd/tutti/config"
)

// loadConfig reads a role's settings from flags, environment and file, and
// checks them. Any error is the user's.
func loadConfig(fs *pflag.FlagSet, cfg *config.Config, role config.Role) error {
	if err := config.Load(fs, os.LookupEnv); err != nil {
		return usage(err)
	}
	if err := cfg.Check(role); err != nil {
		return usage(err)
	}
	return nil
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show or check the configuration of this node"}
	cmd.AddCommand(
		configSubcommand("print", "Print every setting as it would be used, secrets hidden", func(cmd *cobra.Command, _ *config.Config) error {
			return config.Print(cmd.OutOrStdout(), cmd.Flags())
		}),
		configSubcommand("check", "Check the settings and the catalog files", func(cmd *cobra.Command, cfg *config.Config) error {
			list, err := config.Catalogs(catalogDir(cfg))
			if err != nil {
				return usage(err)
			}
			for _, c := range list {
				if err := checkCatalog(c); err != nil {
					return usage(err)
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "configuration is good: %d catalog files\n", len(list))
			return err
		}),
	)
	return cmd
}

func configSubcommand(use, short string, run func(*cobra.Command, *config.Config) error) *cobra.Command {
	parent := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	for name, role := range map[string]config.Role{"server": config.Server, "coordinator": config.Coordinator, "worker": config.Worker} {
		parent.AddCommand(roleSubcommand(name, short+" of tutti "+name, role, run))
	}
	server := roleSubcommand(use, short, config.Server, run)
	parent.RunE = server.RunE
	parent.Flags().AddFlagSet(server.Flags())
	return parent
}

// roleSubcommand is a subcommand for the settings that a role has.
func roleSubcommand(use, short string, role config.Role, run func(*cobra.Command, *config.Config) error) *cobra.Command {
	cfg := &config.Config{}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := loadConfig(cmd.Flags(), cfg, role); err != nil {
				return err
			}
			return run(cmd, cfg)
		},
	}
	cfg.Flags(cmd.Flags(), role)
	return cmd
}
